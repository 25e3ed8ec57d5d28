// What the tests of the limit share: sessions that are judged, and innocent ones that must not notice.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { GatewayOptions } from '../../lib/access/options.ts';
import type { RawPeer } from '../gateway/raw-peer.ts';
import { startScene } from './sdk.ts';
import type { Scene, SdkWorker } from './sdk.ts';

const NAMES = ['caller', 'callee', 'neighbour', 'other'];
const KiB = 1_024;
export const LIMIT = 8 * KiB;
/** The default: the limit and 64 KiB, since twice the limit is less. */
export const HARD_CAP = 72 * KiB;

/** `bytes` bytes in as many characters or fewer: a limit on characters would let more through. */
export const text = (bytes: number) => 'x'.repeat(bytes % 2) + 'é'.repeat(Math.floor(bytes / 2));

export interface Neighbours {
  /** Everybody's own call goes on, without an end; resolves with how many succeeded, once each worker has made one more. */
  stop: () => Promise<number>;
}

/** Workers that call one function after the other all the time. Each call must succeed. */
export function keepCalling(...workers: [SdkWorker, string][]): Neighbours {
  let isOver = false;
  const loops = workers.map(async ([{ call }, functionId]) => {
    let count = 0;
    while (!isOver) assert.equal(await call(functionId, ++count), count);
    assert.equal(await call(functionId, -1), -1);
    return count;
  });
  const all = Promise.all(loops);
  all.catch(() => undefined); // Told by `stop`.
  return {
    stop: async () => {
      isOver = true;
      const counts = await all;
      return Math.min(...counts);
    },
  };
}

export interface LimitScene extends Scene {
  caller: SdkWorker;
  callee: SdkWorker;
  neighbour: SdkWorker;
  neighbours: Neighbours;
  /** Nobody's connection was replaced, and every neighbour's call succeeded. */
  requireUndisturbed: () => Promise<void>;
}

/** A caller and a callee with `callee::size` and `callee::give`, and two innocent sessions: one calls itself, one the callee. */
export async function startLimits(
  t: TestContext,
  gateway: GatewayOptions = {},
  limitBytes = LIMIT,
): Promise<LimitScene> {
  const scene = await startScene(t, { limits: { maxMessageBytes: limitBytes }, gateway });
  const [caller, callee, neighbour, other] = (await Promise.all(NAMES.map((name) => scene.worker(name)))) as [
    SdkWorker,
    SdkWorker,
    SdkWorker,
    SdkWorker,
  ];
  const echo = async (data: unknown) => data;
  callee.sdk.registerFunction('callee::size', async (data: string) => Buffer.byteLength(data));
  callee.sdk.registerFunction('callee::give', async (bytes: number) => text(bytes));
  callee.sdk.registerFunction('callee::echo', echo);
  neighbour.sdk.registerFunction('neighbour::echo', echo);
  await Promise.all([callee.settled(), neighbour.settled()]);
  const ids = () =>
    scene.runtime.peers
      .summaries()
      .filter(({ displayName }) => NAMES.includes(displayName ?? ''))
      .map(({ workerId, status }) => [workerId, status]);
  const before = ids();
  const neighbours = keepCalling([neighbour, 'neighbour::echo'], [other, 'callee::echo']);
  const requireUndisturbed = async (): Promise<void> => {
    assert.ok((await neighbours.stop()) > 0);
    assert.deepEqual(ids(), before);
  };
  return { ...scene, caller, callee, neighbour, neighbours, requireUndisturbed };
}

/** Sizes of the frames that a raw peer gets. */
export function measure(peer: RawPeer): number[] {
  const sizes: number[] = [];
  peer.socket.on('message', (data: Buffer) => sizes.push(data.length));
  return sizes;
}
