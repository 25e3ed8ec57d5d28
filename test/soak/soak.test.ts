// The driver of the soak itself, for a few seconds; the soak is `npm run soak`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { soak } from './soak.ts';

const DURATION_MS = 5_000;

test('a short soak with real faults breaks no promise and leaves nothing behind', async (t) => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  const report = await soak({ seed, durationMs: DURATION_MS, hosts: 2, isQuick: true });
  assert.deepEqual(report.examples, []);
  assert.equal(report.violations, 0);
  assert.ok(Object.keys(report.faults).length > 0, 'no fault happened');
  assert.ok((report.outcomes['completed'] ?? 0) > 0, 'no input was looked up');
});
