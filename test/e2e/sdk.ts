// The published SDK on the real server, as a user has them: workers that are connected when they are handed out, and a wire in between
// that can be cut and that measures what crosses it.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { registerWorker } from 'iii-sdk';
import type { IIIClient, InitOptions } from 'iii-sdk';
import { connectRemote } from '../../lib/remote/index.ts';
import type { Remote, RemoteOptions } from '../../lib/remote/index.ts';
import { startGateway } from '../gateway/raw-peer.ts';
import type { GatewayEdge } from '../gateway/raw-peer.ts';
import { TOKEN } from '../server/support.ts';
import { eventually } from '../support/start-runtime.ts';

export const TOO_LARGE = 'invocation_failed_payload_too_large';

type Call = <T = unknown>(functionId: string, payload?: unknown, more?: object) => Promise<T>;

export interface SdkWorker {
  readonly sdk: IIIClient;
  readonly call: Call;
  /** Resolves when the server has handled everything that this worker sent before. */
  readonly settled: () => Promise<void>;
  /** Bytes of the frames that it has sent, encoded, oldest first. */
  readonly sent: readonly number[];
}

export interface Scene extends Omit<GatewayEdge, 'worker'> {
  readonly address: string;
  /** A worker with the SDK alone, listed under its name. */
  readonly worker: (name: string, options?: InitOptions & { address?: string }) => Promise<SdkWorker>;
  /** The same with greenroom/remote. */
  readonly remote: (name: string, options?: RemoteOptions & { address?: string }) => Promise<Remote>;
}

export async function startScene(t: TestContext, options: Parameters<typeof startGateway>[1] = {}): Promise<Scene> {
  const clients: Pick<IIIClient, 'shutdown'>[] = [];
  // Before the server, which would be asked to let them in again for as long as it is there.
  t.after(() => Promise.all(clients.map((client) => client.shutdown())));
  const edge = await startGateway(t, options);
  const address = addressOf(edge.port);
  const worker: Scene['worker'] = async (workerName, { address: own = address, ...given } = {}) => {
    const sdk = registerWorker(own, {
      workerName,
      headers: { authorization: `Bearer ${TOKEN}` },
      otel: { enabled: false },
      enableMetricsReporting: false,
      reconnectionConfig: { initialDelayMs: 5, jitterFactor: 0 },
      ...given,
    });
    clients.push(sdk);
    const sent = measureFrames(sdk);
    const call: Call = (functionId, payload = {}, more = {}) =>
      sdk.trigger({ function_id: functionId, payload, ...more });
    const settled = async (): Promise<void> => void (await call('engine::baggage::get_all'));
    await settled();
    await isListed(call, workerName);
    return { sdk, call, settled, sent };
  };
  const remote: Scene['remote'] = async (workerName, { address: own = address, ...given } = {}) => {
    const made = connectRemote(own, {
      workerName,
      token: TOKEN,
      reconnectionConfig: { initialDelayMs: 5, jitterFactor: 0 },
      ...given,
    });
    clients.push(made);
    await made.ready();
    await isListed((functionId, payload) => made.trigger({ function_id: functionId, payload }), workerName);
    return made;
  };
  return { ...edge, address, worker, remote };
}

/** `engine::workers::register` is sent last, and nobody waits for its answer. */
async function isListed(call: Call, workerName: string): Promise<void> {
  await eventually(async () => {
    const { workers } = await call<{ workers: { name: string | null }[] }>('engine::workers::list', {});
    return workers.some(({ name }) => name === workerName);
  });
}

/** The SDK hands each encoded frame to one method of its own. */
function measureFrames(sdk: IIIClient): number[] {
  const sizes: number[] = [];
  const inner = sdk as unknown as { sendMessageRaw: (text: string) => void };
  const send = inner.sendMessageRaw.bind(sdk);
  inner.sendMessageRaw = (text) => {
    sizes.push(Buffer.byteLength(text));
    send(text);
  };
  return sizes;
}

export function addressOf(port: number): string {
  return `ws://127.0.0.1:${port}/v1/gateway`;
}

export interface Cable {
  readonly address: string;
  /** Ends every connection through it, without a close frame; how many there were. */
  cut(): number;
}

/** A TCP relay to the server. */
export async function startCable(t: TestContext, port: number): Promise<Cable> {
  const sockets = new Set<Socket>();
  const relay = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const cut = (): number => {
    const count = sockets.size / 2;
    for (const socket of [...sockets]) socket.resetAndDestroy();
    return count;
  };
  t.after(() => {
    cut();
    relay.close();
  });
  return { address: addressOf((relay.address() as AddressInfo).port), cut };
}

/** A function that answers when it is told to, and says when it has been called. */
export function gated<T>(): { handler: () => Promise<T>; called: Promise<void>; open: (value: T) => void } {
  let open!: (value: T) => void;
  let begin!: () => void;
  const opened = new Promise<T>((resolve) => (open = resolve));
  const called = new Promise<void>((resolve) => (begin = resolve));
  return { handler: () => (begin(), opened), called, open };
}

/** The error that a promise rejects with, as far as a user sees it. */
export async function errorOf(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    return { resolved: await promise };
  } catch (thrown) {
    const { name, code, message, function_id } = thrown as Record<string, unknown>;
    return { name, code, message, function_id };
  }
}
