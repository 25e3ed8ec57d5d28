// Replays of what a real runtime has recorded, with the same code and with changed code.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, eventually, transcriptOf } from '../support/start-runtime.ts';
import { record } from './recording.ts';

const NOTHING = { cancelled: 0, unknown: 0, not_run: 0, open: 0 };

test('the same code does the same: outputs, failures, emitted entries, calls of functions, ids of inputs, the state', async (t) => {
  const { runtime, replayed } = await record(t);
  const worker = await runtime.create({ kind: 'tally', workerId: 'w', config: { start: 5 } });
  await worker.ask({ do: 'add', n: 2 });
  await worker.ask({ do: 'emit', n: 3 });
  assert.equal(await codeOf(worker.ask({ do: 'refuse' })), 'refused');
  await worker.ask({ do: 'send' });
  await runtime.invoke('tally::double', null, { metadata: { worker_id: 'w' } });
  await worker.ask({ do: 'later', n: 4 });
  await eventually(async () => (await transcriptOf(worker)).at(-1)?.data === 18);
  assert.deepEqual(await replayed('w'), {
    workerId: 'w',
    kind: 'tally',
    firstSequence: 1,
    fed: 7,
    compared: 7,
    refused: [],
    leftOut: NOTHING,
    isStateCompared: true,
    differences: [],
  });
});

test('where changed code differs is named: outputs, results, emitted entries, the state', async (t) => {
  const { runtime, replayed } = await record(t);
  const worker = await runtime.create({ kind: 'tally', workerId: 'w' });
  for (const n of [1, 200]) await worker.ask({ do: 'add', n });
  await worker.ask({ do: 'emit', n: 2 });
  assert.equal(await codeOf(worker.ask({ do: 'refuse' })), 'refused');
  await worker.ask({ do: 'send' });
  const { fed, compared, differences } = await replayed('w', { actor: 'tally-changed' });
  assert.deepEqual([fed, compared], [5, 5]);
  assert.deepEqual(
    differences.map(({ of, sequence, path, recorded, replayed: now }) => [of, sequence, path, recorded, now]),
    [
      ['output', 4, '', 201, 1],
      ['emitted', 6, '/1', { n: 1 }, undefined],
      ['output', 6, '', 201, 1],
      ['result', 10, '', 'refused', 'completed'],
      ['result', 12, '', 'completed', 'invalid_input'],
      // The recorded state is of the last input, the new one of the last that was completed.
      ['state', null, '/total', 201, 1],
    ],
  );
  assert.ok(differences.every(({ inputId }, at) => (inputId === null) === (at === 5)));
});

test('what was cancelled, never ran, or died with its host is not fed', async (t) => {
  const { runtime, replayed } = await record(t);
  const worker = await runtime.create({ kind: 'tally', workerId: 'w' });
  await worker.ask({ do: 'add', n: 1 });
  const running = codeOf(worker.ask({ do: 'wait' }));
  await eventually(() => worker.view().running !== null);
  await worker.cancel();
  assert.equal(await running, 'cancelled');
  assert.equal(await codeOf(worker.ask({ do: 'exit' })), 'host_lost');
  await worker.ask({ do: 'add', n: 2 });
  const open = codeOf(worker.ask({ do: 'wait' }));
  await eventually(() => worker.view().running !== null);
  const { fed, leftOut, differences } = await replayed('w');
  assert.deepEqual([fed, leftOut, differences], [2, { ...NOTHING, cancelled: 1, unknown: 1, open: 1 }, []]);
  await worker.cancel();
  assert.equal(await open, 'cancelled');
});

test('an input that asks outside is not compared, and what differs after it says so', async (t) => {
  const { runtime, replayed } = await record(t);
  const worker = await runtime.create({ kind: 'tally', workerId: 'w' });
  await worker.ask({ do: 'add', n: 1 });
  await worker.ask({ do: 'ask', n: 7 });
  await worker.ask({ do: 'add', n: 1 });
  const { fed, compared, refused, differences } = await replayed('w');
  assert.deepEqual([fed, compared], [3, 2]);
  assert.deepEqual(
    refused.map(({ sequence, calls }) => [sequence, calls]),
    [[4, ['ctx.ask']]],
  );
  assert.deepEqual(
    differences.map(({ of, recorded, replayed: now, isAfterRefusal }) => [of, recorded, now, isAfterRefusal]),
    [
      ['output', 9, 2, true],
      ['state', 9, 2, true],
    ],
  );
});

test('a transcript whose start is gone is replayed from a state that is given, and refused without one', async (t) => {
  const { runtime, recorded, replayed } = await record(t, { maxTranscriptEntries: 5 });
  const worker = await runtime.create({ kind: 'tally', workerId: 'w' });
  for (const n of [1, 2, 3, 4]) await worker.ask({ do: 'add', n });
  // Kept: the output of the second input, and the third and fourth.
  assert.equal(recorded('w').firstSequence, 5);
  assert.equal(await codeOf(replayed('w')), 'invalid_request');
  const { fed, differences } = await replayed('w', { fromState: '{"total":3,"lastInputId":""}' });
  assert.deepEqual([fed, differences], [2, []]);
  const wrong = await replayed('w', { fromState: '{"total":4,"lastInputId":""}' });
  assert.deepEqual(
    wrong.differences.map(({ of, recorded: then, replayed: now }) => [of, then, now]),
    [
      ['output', 6, 7],
      ['output', 10, 11],
      ['state', 10, 11],
    ],
  );
});

test('an input that does not end, or ends its host, ends the replay', async (t) => {
  const { runtime, recorded, replayed } = await record(t);
  const worker = await runtime.create({ kind: 'tally', workerId: 'w' });
  await worker.ask({ do: 'add', n: 1 });
  await worker.ask({ do: 'add', n: 2 });
  const worked = recorded('w');
  const { items, ...page } = worked.read(0, 100);
  const first = (data: string) => items.map((entry) => (entry.sequence === 2 ? { ...entry, data } : entry));
  t.mock.method(worked, 'read', () => ({ items: first('{"do":"exit"}'), ...page }));
  const died = await replayed('w');
  assert.deepEqual([died.fed, died.isStateCompared], [1, false]);
  assert.deepEqual(
    died.differences.map(({ of, sequence, recorded: then, replayed: now }) => [of, sequence, then, now]),
    [['end', 2, 'completed', 'host_lost']],
  );
  t.mock.method(worked, 'read', () => ({ items: first('{"do":"wait"}'), ...page }));
  const late = await replayed('w', { inputTimeoutMs: 1 });
  assert.deepEqual(
    late.differences.map(({ of, replayed: now }) => [of, now]),
    [['end', 'timeout']],
  );
});

test('a replay of a worker without inputs, of another actor, and of a module that is no actor', async (t) => {
  const { replayed } = await record(t);
  const { fed, isStateCompared, differences } = await replayed('other');
  assert.deepEqual([fed, isStateCompared, differences], [0, true, []]);
  const counter = new URL('../../actors/counter.js', import.meta.url).href;
  assert.equal(await codeOf(replayed('other', { module: counter })), 'invalid_request');
  const none = new URL('./recording.js', import.meta.url).href;
  assert.equal(await codeOf(replayed('other', { module: none })), 'invalid_actor');
});
