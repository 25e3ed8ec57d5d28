import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from '../../lib/server/turns.ts';

test('turns come in the order in which they were asked for, and short ones share one turn of the loop', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const first = turns.next().then(() => seen.push('a'));
  const second = turns.next().then(() => seen.push('b'));
  setImmediate(() => seen.push('loop'));
  await Promise.all([first, second]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, ['a', 'b', 'loop']);
});

test('after a turn that took the whole slice the loop goes round first', async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const first = turns.next().then(() => {
    while (!turns.isOver);
    seen.push('a');
  });
  const second = turns.next().then(() => seen.push('b'));
  setImmediate(() => seen.push('loop'));
  await Promise.all([first, second]);
  assert.deepEqual(seen, ['a', 'loop', 'b']);
});
