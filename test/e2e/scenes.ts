// Workers brought into a status and held there, through the embedded API or over REST; and what became of them afterwards.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createClient } from '../../lib/client/index.ts';
import { createRuntime } from '../../lib/runtime.ts';
import { startServer } from '../../lib/server/index.ts';
import type {
  CancelAck,
  InputView,
  Receipt,
  StopAck,
  TranscriptEntry,
  WorkerStatus,
  WorkerView,
} from '../../lib/protocol/views.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';

const FIXTURES = new URL('../fixtures/actors/', import.meta.url);

/** The verbs that the embedded handle and the client's share. */
export interface AnyWorker {
  readonly workerId: string;
  ask(input: unknown): Promise<unknown>;
  tell(input: unknown): Promise<Receipt>;
  cancel(request?: { inputId?: string }): Promise<CancelAck>;
  stop(request?: { drain?: boolean }): Promise<StopAck>;
  restore(): Promise<WorkerView>;
  delete(request?: { force?: boolean }): Promise<WorkerView>;
  view(): WorkerView | Promise<WorkerView>;
  input(inputId: string): InputView | Promise<InputView>;
  transcript(): AsyncIterable<TranscriptEntry>;
}

export interface Face {
  create(request: { kind: string; workerId?: string; config?: unknown }): Promise<AnyWorker>;
  /** Made by `createAll`, in process: there is no such route. */
  hibernated(request: { kind: string; config?: unknown }): Promise<AnyWorker>;
}

/** Two hosts, and the second death of a worker is one too many. Everything is closed when the test ends. */
export async function openFace(t: TestContext, name: 'embedded' | 'REST'): Promise<Face> {
  const runtime = await createRuntime({ actors: [FIXTURES], hosts: 2, limits: { maxRestarts: 1 } });
  const hibernatedId = async (request: { kind: string; config?: unknown }): Promise<string> => {
    for await (const { worker, error } of runtime.createAll([request])) {
      if (error !== null) throw error;
      return worker.workerId;
    }
    throw new Error('no outcome');
  };
  if (name === 'embedded') {
    t.after(() => runtime.close({ deadlineMs: 1 }));
    return {
      create: (request) => runtime.create(request),
      hibernated: async (request) => runtime.worker(await hibernatedId(request)),
    };
  }
  const token = 'a-token-for-tests';
  const server = await startServer({ runtime, token });
  const client = createClient({ url: server.url, token });
  t.after(async () => {
    await client.close();
    await server.close();
    await runtime.close({ deadlineMs: 1 });
  });
  return {
    create: (request) => client.create(request),
    hibernated: async (request) => client.worker(await hibernatedId(request)),
  };
}

/** In the order of the table's columns. */
export const STATUSES = [
  'starting',
  'idle',
  'running',
  'stopping',
  'stopped',
  'restarting',
  'failed',
  'hibernated',
] as const satisfies WorkerStatus[];

/** A worker in a status, with as many kinds of inputs as can be there in it. */
export interface Scene {
  readonly worker: AnyWorker;
  /** Ids of the inputs, in the order in which they were accepted: one that has ended (empty if none ever ran), then these. */
  readonly endedId: string;
  readonly runningId: string | null;
  readonly waitingId: string | null;
  /** What their askers got, once they have: `completed`, or the code of the error. */
  readonly running: Promise<string> | null;
  readonly waiting: Promise<string> | null;
  readonly firstStop: Promise<StopAck> | null;
  /** Lets everything that is held go on. */
  readonly release: () => void;
  /** Deletes the worker, so that it does not hold a host which another scene needs. */
  readonly end: () => Promise<void>;
}

export async function bring(t: TestContext, face: Face, status: WorkerStatus): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'greenroom-'));
  const [file, gate] = [join(folder, 'start'), join(folder, 'gate')];
  const release = () => [file, gate].forEach((path) => writeFileSync(path, ''));
  writeFileSync(file, '');
  const request = { kind: 'held', config: { file } };
  const worker = await (status === 'hibernated' ? face.hibernated(request) : face.create(request));
  t.after(() => rmSync(folder, { recursive: true }));
  // The first input would wake it.
  let endedId = '';
  if (status !== 'hibernated') {
    ({ inputId: endedId } = await worker.tell({}));
    await eventually(async () => (await worker.input(endedId)).outcome === 'completed');
  }
  let firstStop: Promise<StopAck> | null = null;
  let running: Promise<string> | null = null;
  let waiting: Promise<string> | null = null;
  let asked = 1;

  const hold = async (): Promise<void> => {
    running = resultOf(worker.ask({ until: gate }));
    await heldByGate(worker);
    asked++;
  };
  const die = async (): Promise<void> => {
    await codeOf(worker.ask({ exit: true }));
    asked++;
  };
  const wait = async (): Promise<void> => {
    waiting = resultOf(worker.ask({}));
    asked++;
    await eventually(async () => (await inputIds(worker)).length === asked);
  };

  switch (status) {
    case 'starting':
      await worker.stop();
      rmSync(file);
      codeOf(worker.restore()).catch(() => undefined);
      await reach(worker, status);
      await wait();
      break;
    case 'restarting':
      rmSync(file);
      await die();
      await reach(worker, status);
      await wait();
      break;
    case 'running':
      await hold();
      await wait();
      break;
    case 'stopping':
      await hold();
      await wait();
      firstStop = worker.stop({ drain: true });
      break;
    case 'stopped':
      firstStop = Promise.resolve(await worker.stop());
      break;
    case 'failed':
      await die();
      await die();
      break;
    case 'idle':
    case 'hibernated':
      break;
  }
  await reach(worker, status);
  const ids = await inputIds(worker);
  const waitingId = waiting === null ? null : (ids.at(-1) ?? '');
  const runningId = running === null ? null : (ids[1] ?? '');
  const end = async () => {
    release();
    await codeOf(worker.delete({ force: true }));
  };
  return { worker, endedId, runningId, waitingId, running, waiting, firstStop, release, end };
}

async function reach(worker: AnyWorker, status: WorkerStatus): Promise<void> {
  await eventually(async () => (await worker.view()).status === status);
}

/** Resolves when a handler waits at its gate. */
export async function heldByGate(worker: AnyWorker): Promise<void> {
  await eventually(async () => (await entriesOf(worker)).some(({ data }) => data === 'waiting'));
}

/** The status that a worker comes to rest in; `gone` when it has been deleted. */
export function restingStatus(worker: AnyWorker): Promise<string> {
  return eventually(async () => {
    try {
      const { status } = await worker.view();
      return ['idle', 'stopped', 'failed', 'hibernated'].includes(status) && status;
    } catch (error) {
      return (error as { code?: unknown }).code === 'worker_not_found' && 'gone';
    }
  });
}

export async function entriesOf(worker: AnyWorker): Promise<TranscriptEntry[]> {
  const entries: TranscriptEntry[] = [];
  for await (const entry of worker.transcript()) entries.push(entry);
  return entries;
}

export async function inputIds(worker: AnyWorker): Promise<string[]> {
  return (await entriesOf(worker)).flatMap(({ type, inputId }) => (type === 'input' ? (inputId ?? []) : []));
}

async function resultOf(asking: Promise<unknown>): Promise<string> {
  const result = await codeOf(asking.then(() => 'completed'));
  return String(result);
}
