// What is left after a fault: a runtime closes in time, and its process ends.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runModule } from './child.ts';
import { startFaulty } from './fault-scene.ts';
import { FAULTS } from './fault-table.ts';
import type { Fault } from './fault.ts';

/** One of each kind: what ends, hangs, runs out of memory, and what only leaves something behind. */
const AT_THE_END = [
  'throws an error',
  'throws from a timer while it runs',
  'calls process.exit',
  'loops without an end',
  'waits for a lock that nobody opens',
  'blocks in native code, in a process of its own',
  'takes memory in one large step, in a process of its own',
  'leaks until the heap is full',
  'leaves an interval behind',
  'leaves a loop behind',
  'prints without end',
];

describe('the process of an application', () => {
  for (const does of AT_THE_END)
    test(`ends by itself after close when an actor ${does}`, { timeout: 60_000 }, async (t) => {
      const { exit, stdout, stderr } = await runModule(t, process.execPath, 'fault-child', [does]);
      assert.deepEqual({ exit, stdout, stderr }, { exit: 0, stdout: 'closed\n', stderr: '' });
    });
});

test('a close does not wait for the loop of a worker that has nothing to do', { timeout: 30_000 }, async () => {
  const fault = FAULTS.find(({ does }) => does === 'leaves a loop behind') as Fault;
  const runtime = await startFaulty({ ...fault, limits: { stuckAfterMs: 60_000, startTimeoutMs: 60_000 } });
  const worker = await runtime.create({ kind: fault.kind });
  assert.equal(await worker.ask(fault.input), 'done');
  const { killed } = await runtime.close({ deadlineMs: 60_000 });
  assert.equal(killed, 1);
});
