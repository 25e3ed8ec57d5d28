import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endedBy, endingOf, exitedWith, outOfMemory } from '../../lib/host/endings.ts';

test('an end is read from its error, whether a thread or a process has ended', () => {
  assert.deepEqual(endingOf(exitedWith(9)), { cause: 'exited', exitCode: 9 });
  assert.deepEqual(endingOf(new Error('Worker exited with code: 0')), { cause: 'exited', exitCode: 0 });
  assert.deepEqual(endingOf(endedBy('SIGSEGV')), { cause: 'crashed', signal: 'SIGSEGV' });
  assert.deepEqual(endingOf(outOfMemory(5)), { cause: 'out_of_memory', heapLimitBytes: 5 });
  const ofNode = Object.assign(new Error('heap'), { code: 'ERR_WORKER_OUT_OF_MEMORY' });
  assert.deepEqual(endingOf(ofNode), { cause: 'out_of_memory' });
  assert.deepEqual([endingOf(new Error('any')), endingOf(null)], [{ cause: 'threw' }, { cause: 'threw' }]);
});
