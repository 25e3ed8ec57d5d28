import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode, startRuntime } from './runtime.ts';

test('a counter starts at its config and adds what it is sent', async (t) => {
  const counter = await (await startRuntime(t)).create({ kind: 'counter', workerId: 'c1', config: { start: 40 } });
  assert.equal(await counter.ask({ add: 1 }), 41);
  assert.equal(await counter.ask({ add: 1 }), 42);
});

test('a counter without config starts at 0', async (t) => {
  const counter = await (await startRuntime(t)).create({ kind: 'counter' });
  assert.equal(await counter.ask({ add: -2.5 }), -2.5);
});

test('a counter adds in the order in which its inputs were accepted', async (t) => {
  const counter = await (await startRuntime(t)).create({ kind: 'counter' });
  const totals = await Promise.all(Array.from({ length: 100 }, () => counter.ask({ add: 1 })));
  assert.deepEqual(
    totals,
    Array.from({ length: 100 }, (_, index) => index + 1),
  );
});

test('a counter keeps its total over stop and restore', async (t) => {
  const counter = await (await startRuntime(t)).create({ kind: 'counter', config: { start: 5 } });
  await counter.tell({ add: 2 });
  await counter.stop({ drain: true });
  await counter.restore();
  assert.equal(await counter.ask({ add: 0 }), 7);
});

test('a sum that JSON cannot hold fails as invalid_output and leaves the total', async (t) => {
  const counter = await (await startRuntime(t)).create({ kind: 'counter', config: { start: Number.MAX_VALUE } });
  await assert.rejects(counter.ask({ add: Number.MAX_VALUE }), hasCode('invalid_output'));
  assert.equal(await counter.ask({ add: 0 }), Number.MAX_VALUE);
});

test('a counter refuses what is no sum, naming the path, and does not run', async (t) => {
  const counter = await (await startRuntime(t)).create({ kind: 'counter' });
  for (const input of [{}, { add: '1' }, { add: 1, by: 2 }, 1, null])
    await assert.rejects(counter.ask(input), hasCode('invalid_input'));
  assert.equal(await counter.ask({ add: 1 }), 1);
});
