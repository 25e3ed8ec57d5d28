// The calls that a remote has to answer: bounded, each with a deadline, and every one of them settled once, in whichever way.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import type { FunctionCall } from '../../lib/functions/function.ts';
import { ServedCalls } from '../../lib/gateway/served.ts';
import { DEFAULT_MAILBOX } from '../../lib/limits.ts';
import { codeOf } from '../support/start-runtime.ts';

const CALL: FunctionCall = { payload: 'null', metadata: null, caller: { workerId: null }, timeoutMs: 1_000 };
const { maxBytes } = DEFAULT_MAILBOX;

function start({ capacity = 4, maxTotalBytes = 4 * maxBytes }: { capacity?: number; maxTotalBytes?: number } = {}) {
  const ledger = { heldBytes: 0, maxTotalBytes };
  const served = new ServedCalls(capacity, 1_000, ledger);
  const sent: string[] = [];
  const begin = (bytes = 10, call: Partial<FunctionCall> = {}) =>
    served.begin(bytes, { ...CALL, ...call }, (id) => void sent.push(id));
  const isEmpty = () => assert.deepEqual([served.size, served.bytes, ledger.heldBytes], [0, 0, 0]);
  return { served, ledger, sent, begin, isEmpty };
}

const refusalOf = (served: ServedCalls, bytes: number): string => {
  try {
    served.requireRoom(bytes);
    return 'room';
  } catch (thrown) {
    return (thrown as GreenroomError).code;
  }
};

describe('a call', () => {
  test('is answered once: what comes after the first answer finds nothing', async () => {
    const { served, sent, begin, isEmpty } = start();
    const call = begin();
    const [id = ''] = sent;
    assert.equal(served.has(id), true);
    assert.equal(served.answer(id, '1'), true);
    assert.deepEqual(
      [served.answer(id, '2'), served.fail(id, GreenroomError.of('internal')), served.has(id)],
      [false, false, false],
    );
    assert.equal(await call, '1');
    isEmpty();
  });

  test('may be answered before its sender returns', async () => {
    const { served, isEmpty } = start();
    assert.equal(await served.begin(1, CALL, (id) => served.answer(id, '"fast"')), '"fast"');
    isEmpty();
  });

  test('that cannot be sent fails with the reason, and its place is free', async () => {
    const { served, isEmpty } = start();
    const call = served.begin(1, CALL, () => {
      throw GreenroomError.of('invocation_failed_payload_too_large');
    });
    assert.equal(await codeOf(call), 'invocation_failed_payload_too_large');
    isEmpty();
  });

  test('ends with timeout at its deadline, not before, and its place is free', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { served, sent, begin, isEmpty } = start();
    const call = codeOf(begin());
    t.mock.timers.tick(CALL.timeoutMs - 1);
    assert.equal(served.size, 1);
    t.mock.timers.tick(1);
    isEmpty();
    assert.equal(await call, 'timeout');
    assert.equal(served.answer(sent[0] ?? '', 'late'), false);
  });

  test('that is answered leaves no clock and no listener behind', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { served, sent, begin, isEmpty } = start();
    const caller = new AbortController();
    const call = begin(10, { signal: caller.signal });
    served.answer(sent[0] ?? '', '1');
    t.mock.timers.tick(CALL.timeoutMs);
    caller.abort();
    assert.equal(await call, '1');
    isEmpty();
  });

  test('ends with cancelled when its caller aborts, before or after it was sent', async () => {
    const { sent, begin, isEmpty } = start();
    const caller = new AbortController();
    const call = codeOf(begin(10, { signal: caller.signal }));
    caller.abort();
    assert.equal(await call, 'cancelled');
    assert.equal(await codeOf(begin(10, { signal: caller.signal })), 'cancelled');
    assert.equal(sent.length, 1);
    isEmpty();
  });

  test('is settled by the end of all, like every other', async () => {
    const { served, begin, isEmpty } = start();
    const calls = [begin(), begin(), begin()].map(codeOf);
    served.failAll(GreenroomError.of('invocation_stopped'));
    isEmpty();
    assert.deepEqual(await Promise.all(calls), Array(3).fill('invocation_stopped'));
    served.failAll(GreenroomError.of('invocation_stopped'));
  });

  test('goes by an id of its own', async () => {
    const { served, sent, begin } = start();
    const calls = Promise.allSettled([begin(), begin()]);
    assert.notEqual(sent[0], sent[1]);
    served.failAll(GreenroomError.of('invocation_stopped'));
    await calls;
  });
});

describe('room', () => {
  test('is for as many calls as the capacity; a refusal tells the depth and when to come back', async () => {
    const { served, begin } = start({ capacity: 2 });
    const calls = Promise.allSettled([begin(), begin()]);
    assert.equal(refusalOf(served, 1), 'worker_busy');
    const { code, retryable, details = {} } = served.busy();
    const { oldest_age_ms: ageMs, ...rest } = details;
    assert.deepEqual([code, retryable, typeof ageMs], ['worker_busy', true, 'number']);
    assert.deepEqual(rest, { messages: 2, bytes: 20, capacity: 2, max_bytes: maxBytes, retry_after_ms: 100 });
    served.failAll(GreenroomError.of('invocation_stopped'));
    await calls;
    assert.equal(refusalOf(served, 1), 'room');
  });

  test('is for as many bytes as the bound, exactly; a single call always has room', async () => {
    const { served, begin } = start();
    const calls = Promise.allSettled([begin(maxBytes - 10)]);
    assert.deepEqual([refusalOf(served, 10), refusalOf(served, 11)], ['room', 'worker_busy']);
    served.failAll(GreenroomError.of('invocation_stopped'));
    await calls;
    assert.equal(refusalOf(served, 2 * maxBytes), 'room');
  });

  test('is shared: what all remotes hold is held to the bound of the runtime', async () => {
    const { served, ledger, begin } = start({ maxTotalBytes: 100 });
    const calls = Promise.allSettled([begin(50)]);
    ledger.heldBytes += 40; // Another session's.
    assert.deepEqual([refusalOf(served, 10), refusalOf(served, 11)], ['room', 'runtime_overloaded']);
    served.failAll(GreenroomError.of('invocation_stopped'));
    await calls;
    assert.equal(ledger.heldBytes, 40);
    ledger.heldBytes = 0;
    assert.equal(refusalOf(served, 1_000), 'room');
  });
});
