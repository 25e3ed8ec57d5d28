// What handlers emit is bounded on its way.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf, startRuntime } from '../support/start-runtime.ts';

const ENTRY_CHARS = 1_000_000;

test('what is emitted faster than it is taken is refused with worker_busy, and later inputs emit again', async (t) => {
  // On the main thread nothing is taken while a handler runs.
  const runtime = await startRuntime(t, { hosts: 0 });
  const worker = await runtime.create({ kind: 'floods-emits' });
  assert.equal(await codeOf(worker.ask({ chars: ENTRY_CHARS, entries: 100 })), 'worker_busy');
  for (let n = 0; n < 5; n++) assert.equal(await worker.ask({ chars: ENTRY_CHARS, entries: 30 }), 30);
});

test('an endless flood from a thread is ended by a cancel or by its bound, and neighbours answer', async (t) => {
  const runtime = await startRuntime(t, { hosts: 2 });
  const flooding = await runtime.create({ kind: 'floods-emits' });
  const neighbour = await runtime.create({ kind: 'counter' });
  const flood = flooding.ask({ chars: 10 }).then(
    () => 'cancelled',
    (error: unknown) => (error as { code: unknown }).code,
  );
  assert.equal(await neighbour.ask({ add: 1 }), 1);
  await flooding.cancel();
  assert.ok(['cancelled', 'worker_busy'].includes(String(await flood)));
  assert.equal(await flooding.ask({ entries: 1 }), 1);
});
