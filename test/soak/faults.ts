// What goes wrong in a soak, all of it for real: actors that hang, crash, exit or take all memory, processes that are killed from outside,
// and hosts that are recycled under load. After each the worker has to answer again; how long that takes is kept.

import { setTimeout as wait } from 'node:timers/promises';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { between, oneOf } from '../support/random.ts';
import { ASK_MS, COMMAND_MS, statusOf } from './scene.ts';
import type { Scene } from './scene.ts';
import type { Worked } from './work.ts';

/** From what went wrong to the next good answer. */
const AGAIN_WITHIN_MS = 30_000;
const AGAIN_EVERY_MS = 5;

export interface Fault {
  readonly name: string;
  /** How often, compared to others. */
  readonly weight: number;
  /** Costs milliseconds, or a second at most, and little memory. */
  readonly isQuick: boolean;
  /** Resolves to how long it took until a good answer came again; undefined if it was not to be told. */
  run(scene: Scene): Promise<number | undefined>;
}

/** A fixture that does it for this input, and answers well to the other one. */
function victim(kind: string, bad: unknown, good: unknown, weight: number, isQuick: boolean): Fault {
  const name = kind;
  return { name, weight, isQuick, run: (scene) => harm(scene, kind, bad, good) };
}

export const FAULTS: readonly Fault[] = [
  victim('regex', { hang: true }, { hang: false }, 3, true),
  victim('waits', { hang: true }, { hang: false }, 3, true),
  victim('microtasks', { hang: true }, { hang: false }, 2, true),
  victim('stringifies', { hang: true }, { hang: false }, 2, false),
  victim('spins', { politely: false }, { politely: false, spin: false }, 3, true),
  // For a fraction of a second: nothing comes of it. For seconds: its host is quarantined.
  { ...victim('blocks-native', { iterations: 600_000 }, { iterations: 1 }, 3, true), name: 'blocks shortly' },
  victim('blocks-native', { iterations: 6_000_000 }, { iterations: 1 }, 2, false),
  victim('rejects-later', { reject: 'now' }, {}, 3, true),
  victim('throws-later', { throw: 'running' }, {}, 3, true),
  victim('throws-uncloneable', { error: 'proxy', how: 'later' }, { error: 'chosen', how: 'throw' }, 2, true),
  victim('exits', { code: 1 }, {}, 3, true),
  victim('overruns', 'ignores-cancel', 'quick', 3, true),
  victim('floods-emits', {}, { entries: 1 }, 1, false),
  // In small steps: one large step onto a heap that is nearly full ends the process of any thread, as docs/isolation.md says.
  victim('leaks-slowly', { heapMiB: 1_000 }, {}, 2, false),
  victim('allocates', { how: 'push' }, { how: 'not' }, 2, false),
  { name: 'recycle', weight: 4, isQuick: true, run: recycle },
  { name: 'SIGKILL of a process', weight: 3, isQuick: true, run: killProcess },
];

/** One after the other, until the scene is over. */
export async function runFaults(
  scene: Scene,
  faults: readonly Fault[],
  pauseMs: readonly [number, number],
  onFault: (name: string, again: Promise<number | undefined>) => Promise<void>,
): Promise<void> {
  const total = faults.reduce((sum, { weight }) => sum + weight, 0);
  while (!scene.isOver()) {
    await wait(between(scene.random, ...pauseMs));
    let left = scene.random() * total;
    const fault = faults.find(({ weight }) => (left -= weight) < 0);
    if (fault !== undefined) await onFault(fault.name, fault.run(scene));
  }
}

async function harm(scene: Scene, kind: string, bad: unknown, good: unknown): Promise<number | undefined> {
  const { book, runtime } = scene;
  const request = { kind, workerId: scene.nextId(kind) };
  const worker = await book.settle(`create ${kind}`, COMMAND_MS, runtime.create(request));
  if (worker === undefined) return undefined;
  await book.settle(`harm by ${kind}`, ASK_MS, worker.ask(bad, { timeoutMs: ASK_MS }), FLOODED);
  const startMs = performance.now();
  const isBack = await answersAgain(scene, worker, good);
  const tookMs = performance.now() - startMs;
  if (!isBack) book.violated(`${request.workerId} did not answer again: ${JSON.stringify(worker.view().failure)}`);
  await book.settle(`delete ${kind}`, COMMAND_MS, worker.delete({ force: true }));
  return isBack ? tookMs : undefined;
}

/** What `floods-emits` and `throws-uncloneable` end with of their own. */
const FLOODED = ['chosen'];

/** It may be on its way back, or have been given up: then it is restored. */
async function answersAgain({ book }: Scene, worker: WorkerHandle, good: unknown): Promise<boolean> {
  for (const endMs = performance.now() + AGAIN_WITHIN_MS; performance.now() < endMs;) {
    let isRefused = false;
    const asked = worker.ask(good, { timeoutMs: ASK_MS }).catch((error: unknown) => {
      const { code } = error as { code?: unknown };
      if (code === 'chosen') return undefined;
      isRefused = true;
      throw error;
    });
    await book.settle('ask a victim', ASK_MS, asked);
    if (!isRefused) return true;
    const status = statusOf(worker);
    // Another lane may have deleted it.
    if (status === 'gone') return false;
    if (status === 'failed') await book.settle('restore', COMMAND_MS, worker.restore());
    await wait(AGAIN_EVERY_MS);
  }
  return false;
}

/** Of a shared host: its workers go on elsewhere. */
async function recycle({ book, runtime, random }: Scene): Promise<undefined> {
  const ready = runtime.hosts().filter(({ status, isolation }) => status === 'ready' && isolation === 'shared');
  if (ready.length === 0) return undefined;
  const { hostId } = oneOf(random, ready);
  // It may die before its turn, or be recycled already.
  const refusals = ['not_found', 'unsupported_operation', 'runtime_unavailable'];
  await book.settle('recycle', 2 * COMMAND_MS, runtime.recycleHost(hostId), refusals);
  return undefined;
}

async function killProcess(scene: Scene): Promise<number | undefined> {
  const { book, places, random } = scene;
  const alone = places.filter(({ kind }) => kind === 'soaked-alone');
  if (alone.length === 0) return undefined;
  const place = oneOf(random, alone);
  const { handle } = place;
  const no = ++place.no;
  const answer = await book.settle('ask for a pid', ASK_MS, handle.ask({ op: 'work', no }, { timeoutMs: ASK_MS }));
  if (answer === undefined) return undefined;
  const { pid } = answer as Worked;
  const wasKilled = killIfThere(pid);
  const startMs = performance.now();
  const isBack = await answersAgain(scene, handle, { op: 'read' });
  return wasKilled && isBack ? performance.now() - startMs : undefined;
}

/** It may have hibernated meanwhile. */
function killIfThere(pid: number): boolean {
  try {
    if (pid === process.pid) throw new Error('a worker of a process runs in the process of the runtime');
    return process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}
