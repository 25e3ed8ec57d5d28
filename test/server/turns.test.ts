import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from '../../lib/server/turns.ts';
import { Wakeup } from '../../lib/server/wakeup.ts';

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

test('a wait ends when it is woken, when its time is up and when it is closed', async () => {
  const wakeup = new Wakeup();
  const woken = wakeup.wait(60_000);
  wakeup.wake();
  assert.equal(await woken, true);
  assert.equal(await wakeup.wait(1), false);
  const closed = wakeup.wait(60_000);
  wakeup.close();
  assert.deepEqual([await closed, await wakeup.wait(60_000), wakeup.isClosed], [false, false, true]);
});
