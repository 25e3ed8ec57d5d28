// The transcript of a worker, read as the list of its inputs: what each was, what it emitted and how it ended.

import type { WireError } from '../errors.ts';
import { decode } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { StoredEntry, WorkerStore } from '../store/store.ts';

/** What of a worker in a store is replayed. */
export type Recorded = Pick<
  WorkerStore,
  'workerId' | 'kind' | 'config' | 'state' | 'stateVersion' | 'firstSequence' | 'read' | 'ended'
>;

/** Why an input is not fed: it left nothing in the state, and nobody knows what its handler would have answered. */
export const LEFT_OUT = ['cancelled', 'unknown', 'not_run', 'open'] as const;
/** `cancelled` stands for `expired` too; `not_run` failed before a handler had it; `open` has no outcome yet. */
export type LeftOut = (typeof LEFT_OUT)[number];

export interface RecordedInput {
  readonly seq: number;
  /** Of its `input` entry. */
  readonly sequence: number;
  readonly payload: Payload;
  /** Which run of it gave the outcome. */
  attempt: number;
  /** By that run. */
  emitted: Payload[];
  result: { readonly output: Payload } | { readonly error: WireError } | LeftOut;
}

/** Entries that are read at a time. */
const PAGE_ENTRIES = 1_000;

/** In the order of their acceptance, which is the order in which a worker handles them. Inputs whose own entry is gone are not among them. */
export function readInputs(worker: Recorded): RecordedInput[] {
  const inputs = new Map<number, RecordedInput>();
  for (const { sequence, type, inputSeq, data } of entriesOf(worker)) {
    if (type === 'input') {
      inputs.set(inputSeq, { seq: inputSeq, sequence, payload: data, attempt: 1, emitted: [], result: 'open' });
      continue;
    }
    // What an attempt emitted that died with its host, or with the process, was of that attempt.
    if (type === 'restarted') for (const input of inputs.values()) if (input.result === 'open') input.emitted = [];
    const input = inputs.get(inputSeq);
    if (input === undefined) continue;
    if (type === 'emitted') input.emitted.push(data);
    else if (type === 'output') input.result = { output: data };
    else if (type === 'cancelled') input.result = 'cancelled';
    else if (type === 'failed') input.result = failure(worker, inputSeq, decode(data) as WireError);
    if (input.result !== 'open') input.attempt = worker.ended(inputSeq)?.attempt ?? 1;
  }
  return [...inputs.values()];
}

/** Told apart by what the store knows of the input; by the code where it knows nothing, as a store in memory does. */
function failure(worker: Recorded, seq: number, error: WireError): RecordedInput['result'] {
  const ended = worker.ended(seq);
  if (ended === undefined) {
    if (error.code === 'host_lost') return 'unknown';
    return error.code === 'worker_failed' ? 'not_run' : { error };
  }
  if (ended.outcome === 'unknown') return 'unknown';
  return ended.startedAtMs === 0 ? 'not_run' : { error };
}

function* entriesOf(worker: Recorded): Generator<StoredEntry> {
  for (let after = 0; ;) {
    const { items, nextAfter, hasMore } = worker.read(after, PAGE_ENTRIES);
    yield* items;
    if (!hasMore) return;
    after = nextAfter;
  }
}
