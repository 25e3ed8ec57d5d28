import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { asGreenroomError, ERRORS, GreenroomError, isErrorCode } from '../lib/errors.ts';
import type { ErrorCode, WireError } from '../lib/errors.ts';
import { errorsDoc } from '../scripts/errors-doc.ts';
import { seeded } from './support/seeded.ts';

const ROOT = new URL('../../', import.meta.url); // this file runs from dist/test
const rows = Object.entries(ERRORS);
const codes = Object.keys(ERRORS) as ErrorCode[];

describe('the table of errors', () => {
  test('is what ERRORS.md says; if not, build and run `node dist/scripts/errors-doc.js`', () => {
    assert.equal(readFileSync(new URL('ERRORS.md', ROOT), 'utf8'), errorsDoc());
  });

  test('has no code that nothing gives out', () => {
    const sources = (readdirSync(new URL('lib', ROOT), { recursive: true }) as string[])
      .filter((name) => name.endsWith('.ts') && name !== 'errors.ts')
      .map((name) => readFileSync(new URL(`lib/${name}`, ROOT), 'utf8'))
      .join('\n');
    assert.deepEqual(
      codes.filter((code) => !sources.includes(`'${code}'`)),
      [],
    );
  });

  test('has codes in lower_snake_case', () => {
    assert.deepEqual(
      codes.filter((code) => !/^[a-z]+(_[a-z]+)*$/.test(code)),
      [],
    );
  });

  test('has a 4xx or 5xx status in every row, and sentences for people', () => {
    const complaints = rows.filter(
      ([, { status, message, remedy }]) =>
        !Number.isInteger(status) ||
        status < 400 ||
        status > 599 ||
        ![message, remedy].every((text) => /^\S.*\S[.]$/.test(text)),
    );
    assert.deepEqual(complaints, []);
  });

  test('calls retryable only what may change by itself', () => {
    assert.deepEqual(
      rows.filter(([, { retryable }]) => retryable).map(([code]) => code),
      [
        'worker_busy',
        'worker_stopping',
        'runtime_overloaded',
        'runtime_unavailable',
        'timeout',
        'expired',
        'http_request_failed',
        'store_failed',
      ],
    );
  });

  test('has the statuses that are promised to callers over HTTP', () => {
    const promised: Partial<Record<ErrorCode, number>> = {
      invalid_json: 400,
      invalid_request: 400,
      invalid_query: 400,
      invalid_worker_id: 400,
      unauthorized: 401,
      route_not_found: 404,
      worker_not_found: 404,
      input_not_found: 404,
      actor_not_found: 404,
      function_not_found: 404,
      forbidden: 403,
      function_exists: 409,
      invocation_failed: 502,
      invocation_stopped: 503,
      invocation_failed_payload_too_large: 413,
      method_not_allowed: 405,
      worker_stopping: 409,
      worker_stopped: 409,
      worker_failed: 409,
      worker_exists: 409,
      worker_active: 409,
      idempotency_conflict: 409,
      unsupported_operation: 409,
      payload_too_large: 413,
      unsupported_media_type: 415,
      invalid_input: 422,
      worker_busy: 429,
      internal: 500,
      runtime_overloaded: 503,
      runtime_unavailable: 503,
      timeout: 504,
    };
    const actual = Object.keys(promised).map((code) => [code, ERRORS[code as ErrorCode].status]);
    assert.deepEqual(Object.fromEntries(actual), promised);
  });
});

describe('an error of the table', () => {
  for (const [code, { status, retryable, message }] of rows) {
    test(`has what its row says, and survives the wire: ${code}`, () => {
      const error = GreenroomError.of(code as ErrorCode);
      assert.deepEqual(error.toWire(), { code, message, retryable });
      assert.deepEqual([error.status, error.name, error.cause], [status, 'GreenroomError', undefined]);
      const back = GreenroomError.fromWire(error.toWire());
      assert.deepEqual([back.toWire(), back.status], [error.toWire(), status]);
    });
  }

  test('takes another message, status, details and cause; the cause and the status stay in process', () => {
    const cause = new Error('inner');
    const error = GreenroomError.of('worker_busy', { message: 'Mine.', status: 409, details: { a: 1 }, cause });
    assert.deepEqual([error.status, error.cause, error.message], [409, cause, 'Mine.']);
    assert.deepEqual(error.toWire(), { code: 'worker_busy', message: 'Mine.', retryable: true, details: { a: 1 } });
  });

  test('can be matched without its class: code, status, retryable and details are its own', () => {
    assert.throws(
      () => {
        throw GreenroomError.of('timeout', { details: { input_id: 'in-1' } });
      },
      { code: 'timeout', status: 504, retryable: true, details: { input_id: 'in-1' } },
    );
  });
});

describe('an error from a wire', () => {
  test('is what was sent, whatever its code', (t) => {
    const wire: fc.Arbitrary<WireError> = fc
      .record(
        { code: fc.oneof(fc.string(), fc.constantFrom(...codes)), message: fc.string(), retryable: fc.boolean() },
        { noNullPrototype: true },
      )
      .chain((base) =>
        fc
          .option(fc.dictionary(fc.string(), fc.jsonValue()))
          .map((details) => (details === null ? base : { ...base, details })),
      );
    fc.assert(
      fc.property(wire, (sent) => assert.deepEqual(GreenroomError.fromWire(sent).toWire(), sent)),
      seeded(t, 300),
    );
  });

  for (const code of ['insufficient_funds', 'constructor', '__proto__', 'toString', '']) {
    test(`has the status of actors' codes when the table does not know it: ${JSON.stringify(code)}`, () => {
      assert.equal(GreenroomError.fromWire({ code, message: 'm', retryable: false }).status, 422);
      assert.equal(isErrorCode(code), false);
    });
  }

  test('has the status that it came with, if any', () => {
    const wire = GreenroomError.of('worker_busy').toWire();
    assert.deepEqual([GreenroomError.fromWire(wire).status, GreenroomError.fromWire(wire, 409).status], [429, 409]);
  });
});

describe('anything that was thrown', () => {
  test('is itself if it is an error of ours', () => {
    const error = GreenroomError.of('timeout');
    assert.equal(asGreenroomError(error), error);
  });

  for (const thrown of [new Error('secret'), 'secret', undefined, null, { code: 'timeout' }]) {
    test(`is internal otherwise, and keeps its cause in process: ${JSON.stringify(thrown)}`, () => {
      const error = asGreenroomError(thrown);
      assert.deepEqual(error.toWire(), { code: 'internal', message: ERRORS.internal.message, retryable: false });
      assert.equal(error.cause, thrown);
    });
  }
});
