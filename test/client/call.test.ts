import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { Call, CallGroup, MAX_RETRIES, retryAfterMs, retryPauseMs } from '../../lib/client/call.ts';
import { ERRORS, GreenroomError } from '../../lib/errors.ts';
import type { ErrorCode } from '../../lib/errors.ts';

const group = new CallGroup();
const NO_JITTER = 0;
const FULL_JITTER = 1;

test('exactly the retryable codes with status 429 or 503 are repeated', () => {
  const repeated = (Object.keys(ERRORS) as ErrorCode[]).filter(
    (code) => retryPauseMs(GreenroomError.of(code), 0, NO_JITTER) !== undefined,
  );
  assert.deepEqual(repeated, ['worker_busy', 'runtime_overloaded', 'runtime_unavailable', 'store_failed']);
});

test('a turn-based worker that is busy, status 409, is not asked again', () => {
  assert.equal(retryPauseMs(GreenroomError.of('worker_busy', { status: 409 }), 0, NO_JITTER), undefined);
});

test('pauses double from one retry to the next up to a bound, and jitter takes off up to half', () => {
  const error = GreenroomError.of('runtime_unavailable');
  assert.deepEqual(
    [0, 1, 2, 3, 20].map((retry) => [retryPauseMs(error, retry, NO_JITTER), retryPauseMs(error, retry, FULL_JITTER)]),
    [
      [100, 50],
      [200, 100],
      [400, 200],
      [800, 400],
      [5_000, 2_500],
    ],
  );
});

test('the pause that the runtime asks for is the least', () => {
  const asking = (ms: number) => GreenroomError.of('worker_busy', { details: { retry_after_ms: ms } });
  assert.equal(retryPauseMs(asking(3_000), 0, NO_JITTER), 3_000);
  assert.equal(retryPauseMs(asking(1), 0, NO_JITTER), 100);
});

test('Retry-After is read as seconds or as a date', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  const headers = ['2', 'Thu, 01 Jan 2026 00:00:05 GMT', 'Wed, 31 Dec 2025 23:59:59 GMT', 'soon', undefined];
  assert.deepEqual(
    headers.map((header) => retryAfterMs(header, now)),
    [2_000, 5_000, 0, undefined, undefined],
  );
});

test('a call makes its first attempt and MAX_RETRIES more, then gives the last error', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const call = new Call({}, 60_000, group);
  const error = GreenroomError.of('runtime_unavailable');
  let attempts = 0;
  const result = assert.rejects(
    call.attempts(true, () => {
      attempts++;
      if (attempts <= MAX_RETRIES) setImmediate(() => t.mock.timers.tick(1_000));
      return Promise.reject(error);
    }),
    (thrown) => thrown === error,
  );
  await result;
  call[Symbol.dispose]();
  assert.equal(attempts, 1 + MAX_RETRIES);
});

test('a retry that could only start after the deadline is not waited for', async () => {
  const call = new Call({}, 2_000, group);
  const error = GreenroomError.of('worker_busy', { details: { retry_after_ms: 3_000 } });
  let attempts = 0;
  const startedAt = performance.now();
  await assert.rejects(
    call.attempts(true, () => (attempts++, Promise.reject(error))),
    (thrown) => thrown === error,
  );
  call[Symbol.dispose]();
  assert.equal(attempts, 1);
  assert.ok(performance.now() - startedAt < 1_000);
});

test('what cannot be repeated safely is attempted once', async () => {
  const call = new Call({}, 2_000, group);
  let attempts = 0;
  await assert.rejects(
    call.attempts(false, () => (attempts++, Promise.reject(GreenroomError.of('runtime_unavailable')))),
  );
  call[Symbol.dispose]();
  assert.equal(attempts, 1);
});

test('a call leaves no listener on the signal that it was given', () => {
  const controller = new AbortController();
  const calls = [1, 2, 3].map(() => new Call({ signal: controller.signal }, 2_000, group));
  assert.equal(getEventListeners(controller.signal, 'abort').length, 3);
  for (const call of calls) call[Symbol.dispose]();
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
});

test('a group ends its calls with one reason, those that come later too', () => {
  const calls = new CallGroup();
  const reason = GreenroomError.of('runtime_unavailable');
  const [first, done] = [new Call({}, 2_000, calls), new Call({}, 2_000, calls)];
  done[Symbol.dispose]();
  calls.end(reason);
  calls.end(GreenroomError.of('internal'));
  const late = new Call({}, 2_000, calls);
  assert.deepEqual(
    [first, done, late].map(({ signal }) => signal.reason as unknown),
    [reason, undefined, reason],
  );
});
