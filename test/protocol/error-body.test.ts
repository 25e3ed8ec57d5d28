import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ERRORS, GreenroomError } from '../../lib/errors.ts';
import type { ErrorCode } from '../../lib/errors.ts';
import { toErrorBody } from '../../lib/protocol/error-body.ts';
import { MAX_ERROR_CHARS } from '../../lib/limits.ts';

describe('the body of an error on the wire', () => {
  test('spells the codes that clients of the protocol match on as the protocol does, and no other', () => {
    const changed = (Object.keys(ERRORS) as ErrorCode[])
      .map((code) => [code, toErrorBody(GreenroomError.of(code)).code])
      .filter(([ours, wire]) => ours !== wire);
    assert.deepEqual(Object.fromEntries(changed), {
      forbidden: 'FORBIDDEN',
      unauthorized: 'AUTH_ERROR',
      not_found: 'NOT_FOUND',
      invalid_request: 'INVALID_ARGUMENTS',
    });
  });

  test('has the details beside code and message', () => {
    const details = { payload_bytes: 11, limit_bytes: 10 };
    assert.deepEqual(toErrorBody(GreenroomError.of('invocation_failed_payload_too_large', { details })), {
      code: 'invocation_failed_payload_too_large',
      message: ERRORS.invocation_failed_payload_too_large.message,
      payload_bytes: 11,
      limit_bytes: 10,
    });
  });

  test('keeps a code that a function chose', () => {
    const chosen = GreenroomError.fromWire({ code: 'sold_out', message: 'None left.', retryable: false });
    assert.deepEqual(toErrorBody(chosen), { code: 'sold_out', message: 'None left.' });
  });

  test('lets no detail replace code or message, and carries no stack', () => {
    const details = { code: 'a', message: 'b', stack: 'at x (/srv/x.js:1)', stacktrace: 'at y', retry_after_ms: 5 };
    assert.deepEqual(toErrorBody(GreenroomError.of('worker_busy', { details })), {
      code: 'worker_busy',
      message: ERRORS.worker_busy.message,
      retry_after_ms: 5,
    });
  });

  test('says of `internal` what the table says, whatever the error holds', () => {
    const secret = { message: 'cannot read /etc/secret', details: { path: '/etc/secret' }, cause: new Error('x') };
    assert.deepEqual(toErrorBody(GreenroomError.of('internal', secret)), {
      code: 'internal',
      message: ERRORS.internal.message,
    });
  });

  test('cuts a message that is too long', () => {
    const { message } = toErrorBody(
      GreenroomError.of('invocation_failed', { message: 'x'.repeat(MAX_ERROR_CHARS + 1) }),
    );
    assert.equal(message.length, MAX_ERROR_CHARS);
  });
});
