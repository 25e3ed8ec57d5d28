// The recovery scenario: makes a durable store of workers with waiting inputs, without a runtime, which would run them. What
// shall still be in the journal is given last, and the process that has given it ends without closing the store.

import { join } from 'node:path';
import { LmdbStore } from '../../lib/lmdb/store.ts';
import { DEFAULT_LIMITS } from '../../lib/limits.ts';
import { FILE_NAME } from '../../lib/open-store.ts';
import { builtId, INPUTS_EACH } from '../support/built.ts';
import { answerRequests } from '../support/child.ts';

export interface BuildRequest {
  readonly dataDir: string;
  readonly workers: number;
  /** What is not in the tables, at least. 0: nothing. */
  readonly journalBytes: number;
}

export interface Built {
  readonly fileBytes: number;
  readonly journalBytes: number;
}

/** The first workers: their journal says how much one takes. */
const SAMPLE = 1_000;
const COMMIT_EVERY = 500;

async function build({ dataDir, workers, journalBytes }: BuildRequest): Promise<Built> {
  let store = await openFile(dataDir, {});
  const seq = await fill(store, { from: 0, to: SAMPLE, seq: store.firstSeq });
  const bytesEach = store.figures().journalBytes / SAMPLE;
  const folded = Math.max(SAMPLE, workers - Math.ceil(journalBytes / bytesEach));
  await fill(store, { from: SAMPLE, to: folded, seq });
  await store.close();
  // Once more for the figures, and for what is to stay in the journal.
  store = await openFile(dataDir, { foldBytes: Number.POSITIVE_INFINITY });
  await fill(store, { from: folded, to: workers, seq: store.firstSeq });
  const figures = store.figures();
  if (journalBytes === 0) await store.close();
  return figures;
}

async function openFile(dataDir: string, options: { readonly foldBytes?: number }): Promise<LmdbStore> {
  const { maxTranscriptEntries, maxTranscriptBytes, maxTranscriptAgeMs, idempotencyTtlMs } = DEFAULT_LIMITS;
  const limits = { maxEntries: maxTranscriptEntries, maxBytes: maxTranscriptBytes, maxAgeMs: maxTranscriptAgeMs };
  const store = await LmdbStore.open({ path: join(dataDir, FILE_NAME), limits, idempotencyTtlMs, ...options });
  store.connect({
    accepted: () => undefined,
    refused: (_input, error) => {
      throw error;
    },
    started: () => undefined,
    ended: () => undefined,
  });
  return store;
}

interface Filling {
  readonly from: number;
  readonly to: number;
  /** Number of the first input. */
  readonly seq: number;
}

/** Counters as the runtime would have made them, each with inputs that add 1. Resolves to the number of the next input. */
async function fill(store: LmdbStore, { from, to, seq: first }: Filling): Promise<number> {
  let seq = first;
  for (let number = from; number < to; number++) {
    const atMs = Date.now();
    const worker = store.create({
      workerId: builtId(number),
      kind: 'counter',
      displayName: null,
      config: '{}',
      createdAtMs: atMs,
      state: null,
      parentId: null,
    });
    worker.append('created', atMs, 0, '{"kind":"counter","display_name":null}');
    for (let input = 0; input < INPUTS_EACH; input++) {
      worker.accept({
        seq: seq++,
        payload: '{"add":1}',
        acceptedAtMs: atMs,
        deadlineAtMs: 0,
        key: null,
        attempt: 1,
        isVolatile: false,
      });
    }
    store.unload(worker);
    if (number % COMMIT_EVERY === 0) await store.committed();
  }
  await store.committed();
  return seq;
}

answerRequests((request) => build(request as BuildRequest));
