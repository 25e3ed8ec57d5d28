import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Wakeup } from '../../lib/protocol/wakeup.ts';

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

test('two waits at a time are a mistake', async () => {
  const wakeup = new Wakeup();
  const first = wakeup.wait(60_000);
  assert.throws(() => wakeup.wait(60_000), /one wait at a time/);
  wakeup.wake();
  await first;
});
