// What a handler returned or threw, as it leaves its host: nothing that it may be breaks the host.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as v from 'valibot';
import { ActorError, defineActor } from '../../lib/actor.ts';
import type { ActorDefinition } from '../../lib/actor.ts';
import { GreenroomError } from '../../lib/errors.ts';
import type { WireError } from '../../lib/errors.ts';
import { encodeOutput, encodeState, failureOf } from '../../lib/host/outcomes.ts';
import { INLINE_PARSE_BYTES, MAX_ERROR_CHARS } from '../../lib/limits.ts';
import { payloadBytes } from '../../lib/protocol/payload.ts';

const WIDE = 1_000_000;
const actor = defineActor({ kind: 'any', input: v.unknown(), receive: () => null }) as unknown as ActorDefinition;
const numeric = defineActor({
  kind: 'numeric',
  input: v.unknown(),
  output: v.number(),
  receive: () => 1,
}) as unknown as ActorDefinition;

const refusal = (expected: WireError) => (thrown: unknown) => {
  assert.ok(thrown instanceof GreenroomError, String(thrown));
  assert.deepEqual(thrown.toWire(), expected);
  return true;
};
const INVALID_OUTPUT = refusal(GreenroomError.of('invalid_output').toWire());
const tooLarge = (bytes: number, limit: number, hop: string) =>
  refusal(
    GreenroomError.of('payload_too_large', { details: { payload_bytes: bytes, limit_bytes: limit, hop } }).toWire(),
  );

const cycle: { self?: unknown } = {};
cycle.self = cycle;
const throwing = {
  toJSON: () => {
    throw new Error('secret');
  },
};
const UNENCODABLE = {
  'a function': () => 1,
  'a symbol': Symbol('s'),
  'a BigInt': 1n,
  'a cycle': cycle,
  'a throwing toJSON': throwing,
};

describe('an output', () => {
  test('is encoded once, and nothing is null', () => {
    const outputs = [{ a: [1, 'ä'] }, 'x', 0, false, null, undefined].map((value) => encodeOutput(actor, value, WIDE));
    assert.deepEqual(outputs, ['{"a":[1,"ä"]}', '"x"', '0', 'false', 'null', 'null']);
  });

  for (const [name, value] of Object.entries(UNENCODABLE)) {
    test(`that is ${name} fails as invalid_output`, () =>
      assert.throws(() => encodeOutput(actor, value, WIDE), INVALID_OUTPUT));
  }

  test('that breaks its schema fails as invalid_output, and says nothing of the value', () => {
    assert.equal(encodeOutput(numeric, 1, WIDE), '1');
    for (const value of ['1', null, undefined, Number.NaN]) {
      assert.throws(() => encodeOutput(numeric, value, WIDE), INVALID_OUTPUT);
    }
  });

  test('of the limit passes, and one byte more is refused, measured as it travels', () => {
    assert.equal(encodeOutput(actor, 'ä😀', 8), '"ä😀"');
    assert.throws(() => encodeOutput(actor, 'ä😀', 7), tooLarge(8, 7, 'result'));
  });

  test('leaves as text up to the inline size, and as bytes above it', () => {
    const atLimit = encodeOutput(actor, 'x'.repeat(INLINE_PARSE_BYTES - 2), WIDE);
    const above = encodeOutput(actor, 'x'.repeat(INLINE_PARSE_BYTES - 1), WIDE);
    assert.deepEqual([typeof atLimit, payloadBytes(atLimit)], ['string', INLINE_PARSE_BYTES]);
    assert.deepEqual([above instanceof Uint8Array, payloadBytes(above)], [true, INLINE_PARSE_BYTES + 1]);
    assert.equal(new TextDecoder().decode(above as Uint8Array), JSON.stringify('x'.repeat(INLINE_PARSE_BYTES - 1)));
  });
});

describe('a state', () => {
  test('is encoded as text of any size, and nothing is null', () => {
    const large = 'x'.repeat(INLINE_PARSE_BYTES);
    assert.deepEqual(
      [encodeState({ total: 1 }, WIDE), encodeState(undefined, WIDE), encodeState(large, WIDE)],
      ['{"total":1}', 'null', `"${large}"`],
    );
  });

  for (const [name, value] of Object.entries(UNENCODABLE)) {
    test(`that is ${name} fails as invalid_output`, () =>
      assert.throws(() => encodeState(value, WIDE), INVALID_OUTPUT));
  }

  test('of the limit passes, and one byte more is refused', () => {
    assert.equal(encodeState('ä', 4), '"ä"');
    assert.throws(() => encodeState('ä', 3), tooLarge(4, 3, 'state'));
  });
});

const ACTOR_ERROR: WireError = GreenroomError.of('actor_error').toWire();

/** What the caller gets, and what the log gets. It must be fit for the wire whatever it is. */
function failureAndReport(thrown: unknown): { wire: WireError; reports: unknown[] } {
  const reports: unknown[] = [];
  const wire = failureOf(thrown, (fields) => reports.push(fields));
  assert.deepEqual(JSON.parse(JSON.stringify(wire)), wire);
  return { wire, reports };
}

describe('an error with a code of its own', () => {
  test('reaches the caller with code, message, retryable and details, and is no news for the log', () => {
    const details = { balance: 3, of: { account: ['a'] } };
    assert.deepEqual(failureAndReport(new ActorError('overdrawn', 'Too little.', { retryable: true, details })), {
      wire: { code: 'overdrawn', message: 'Too little.', retryable: true, details },
      reports: [],
    });
    assert.deepEqual(failureAndReport(new ActorError('overdrawn', 'Too little.')), {
      wire: { code: 'overdrawn', message: 'Too little.', retryable: false },
      reports: [],
    });
  });

  test('need not be an ActorError, nor an Error', () => {
    assert.deepEqual(failureAndReport({ code: 'closed', message: 'Come back.', retryable: 'yes' }).wire, {
      code: 'closed',
      message: 'Come back.',
      retryable: false,
    });
  });

  test('of the runtime passes through: the answer of a worker that was asked', () => {
    const error = GreenroomError.of('worker_busy', { details: { retry_after_ms: 5 } });
    assert.deepEqual(failureAndReport(error), { wire: error.toWire(), reports: [] });
  });

  test('has at most so many characters of message and details', () => {
    const longest = 'x'.repeat(MAX_ERROR_CHARS);
    assert.equal(failureAndReport(new ActorError('long', longest)).wire.message, longest);
    assert.equal(failureAndReport(new ActorError('long', `${longest}y`)).wire.message, longest);
    const fits = { a: 'x'.repeat(MAX_ERROR_CHARS - '{"a":""}'.length) };
    assert.deepEqual(failureAndReport(new ActorError('long', '', { details: fits })).wire.details, fits);
    assert.deepEqual(failureAndReport(new ActorError('long', '', { details: { a: `${fits.a}x` } })).wire.details, {
      truncated: true,
    });
  });

  for (const [name, value] of Object.entries({ 'a BigInt': 1n, 'a cycle': cycle, 'a throwing toJSON': throwing })) {
    test(`keeps its code when its details hold ${name}`, () => {
      const expected = { code: 'odd', message: 'm', retryable: false, details: { unencodable: true } };
      assert.deepEqual(failureAndReport(new ActorError('odd', 'm', { details: { value } })).wire, expected);
      assert.deepEqual(
        failureAndReport(GreenroomError.fromWire({ code: 'odd', message: 'm', retryable: false, details: { value } }))
          .wire,
        expected,
      );
    });
  }

  for (const details of ['text', 1, null, [1], new Date(0), () => 1]) {
    test(`has no details when they are no JSON object: ${String(details)}`, () => {
      assert.deepEqual(failureAndReport({ code: 'odd', message: 'm', details }).wire, {
        code: 'odd',
        message: 'm',
        retryable: false,
      });
    });
  }
});

describe('any other error', () => {
  for (const code of ['ENOENT', 'ERR_INVALID_ARG_TYPE', '23505', 'a-b', 'a b', '', 'x'.repeat(65), 42, null]) {
    test(`is an actor_error to the caller, and described to the log: code ${JSON.stringify(code)}`, () => {
      const { wire, reports } = failureAndReport(Object.assign(new TypeError('secret at /srv/x'), { code }));
      assert.deepEqual(wire, ACTOR_ERROR);
      assert.equal(reports.length, 1);
      assert.deepEqual(
        { ...(reports[0] as object), error_code: undefined },
        { error_name: 'TypeError', error_message: 'secret at <path>', error_code: undefined },
      );
    });
  }

  test('with a code of 64 characters is one that its author chose', () => {
    assert.equal(failureAndReport({ code: 'x'.repeat(64), message: '' }).wire.code, 'x'.repeat(64));
  });

  const hostile: [name: string, thrown: unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['text', 'secret'],
    ['a number', 1],
    ['a symbol', Symbol('s')],
    ['an object without a prototype', Object.create(null)],
    ['an object whose code throws', Object.defineProperty({}, 'code', { get: throwing.toJSON })],
    ['an error whose message cannot be text', { code: 'odd', message: Object.create(null) as unknown }],
    ['a revoked proxy', revoked()],
  ];
  for (const [name, thrown] of hostile) {
    test(`is an actor_error to the caller, whatever was thrown: ${name}`, () => {
      const { wire, reports } = failureAndReport(thrown);
      assert.deepEqual([wire, reports.length], [ACTOR_ERROR, 1]);
    });
  }
});

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
