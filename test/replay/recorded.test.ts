// What is read from a transcript.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readInputs } from '../../lib/replay/recorded.ts';
import type { Recorded } from '../../lib/replay/recorded.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import type { EndedInput } from '../../lib/store/store.ts';
import type { EntryType } from '../../lib/protocol/views.ts';

type Entry = readonly [type: EntryType, inputSeq: number, data: unknown];

function workerWith(entries: readonly Entry[], ended: Record<number, Partial<EndedInput>> = {}): Recorded {
  const store = new MemoryStore({ maxEntries: 10_000, maxBytes: 10_000_000, maxAgeMs: Number.MAX_SAFE_INTEGER });
  const record = {
    workerId: 'w',
    kind: 'k',
    displayName: null,
    config: '{}',
    createdAtMs: 0,
    state: null,
    parentId: null,
  };
  const worker = store.create(record);
  for (const [type, inputSeq, data] of entries) worker.append(type, Date.now(), inputSeq, JSON.stringify(data));
  return Object.create(worker, {
    workerId: { value: 'w' },
    read: { value: worker.read.bind(worker) },
    ended: { value: (seq: number) => ended[seq] },
  }) as Recorded;
}

const resultsOf = (worker: Recorded) => readInputs(worker).map(({ seq, result }) => [seq, result]);
const lost = { code: 'host_lost', message: '', retryable: false };
const failed = { ...lost, code: 'worker_failed' };

test('inputs come in the order of their acceptance, each with what was emitted for it and how it ended', () => {
  const worker = workerWith([
    ['created', 0, {}],
    ['input', 4, 'a'],
    ['input', 5, 'b'],
    ['emitted', 4, 1],
    ['emitted', 0, 2],
    ['output', 4, 'A'],
    ['emitted', 5, 3],
    ['emitted', 5, 4],
    ['output', 5, 'B'],
    ['stopped', 0, {}],
  ]);
  assert.deepEqual(readInputs(worker), [
    { seq: 4, sequence: 2, payload: '"a"', attempt: 1, emitted: ['1'], result: { output: '"A"' } },
    { seq: 5, sequence: 3, payload: '"b"', attempt: 1, emitted: ['3', '4'], result: { output: '"B"' } },
  ]);
});

test('what a run emitted that died is not of the run that gave the outcome', () => {
  const entries: Entry[] = [
    ['input', 1, 'a'],
    ['emitted', 1, 'first'],
    ['restarted', 1, { attempt: 2 }],
    ['emitted', 1, 'second'],
    ['output', 1, 'A'],
    ['restarted', 0, {}],
  ];
  const [input] = readInputs(workerWith(entries, { 1: { attempt: 2 } }));
  assert.deepEqual([input?.attempt, input?.emitted], [2, ['"second"']]);
});

test('failures that no handler has made are told apart, by what the store knows or else by the code', () => {
  const entries: Entry[] = [1, 2, 3].flatMap((seq): Entry[] => [['input', seq, null]]);
  entries.push(['failed', 1, lost], ['failed', 2, failed], ['failed', 3, { ...lost, code: 'mine' }]);
  const mine = { error: { code: 'mine', message: '', retryable: false } };
  assert.deepEqual(resultsOf(workerWith(entries)), [
    [1, 'unknown'],
    [2, 'not_run'],
    [3, mine],
  ]);
  const ended = {
    1: { outcome: 'failed', startedAtMs: 5 },
    2: { outcome: 'unknown', startedAtMs: 0 },
    3: { outcome: 'failed', startedAtMs: 0 },
  } as const;
  assert.deepEqual(resultsOf(workerWith(entries, ended)), [
    [1, { error: lost }],
    [2, 'unknown'],
    [3, 'not_run'],
  ]);
});

test('an input whose own entry is gone is not read, one without an outcome is open, and all pages are read', () => {
  const many = Array.from({ length: 1_500 }, (_, n): Entry => ['input', n + 2, n]);
  const worker = workerWith([['output', 1, 'A'], ...many, ['output', 1_500, 'Z']]);
  const inputs = readInputs(worker);
  assert.equal(inputs.length, 1_500);
  assert.deepEqual(
    [inputs[0]?.result, inputs[1_498]?.result, inputs[1_499]?.result],
    ['open', { output: '"Z"' }, 'open'],
  );
});
