import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { GreenroomError } from '../../lib/errors.ts';
import { decode, encode, payloadBytes, payloadText, requireSize } from '../../lib/protocol/payload.ts';
import { seeded } from '../support/seeded.ts';

const refusal = (code: string, message: string) => (thrown: unknown) => {
  assert.ok(thrown instanceof GreenroomError, String(thrown));
  assert.deepEqual(thrown.toWire(), { code, message, retryable: false });
  return true;
};
const INVALID_JSON = refusal('invalid_json', 'The body is not valid JSON.');

describe('the size of a payload', () => {
  const sizes: [name: string, payload: string | Uint8Array, bytes: number][] = [
    ['nothing', '', 0],
    ['a letter', 'a', 1],
    ['a NUL', '\u0000', 1],
    ['an umlaut', 'ä', 2],
    ['a euro sign', '€', 3],
    ['an astral character', '😀', 4],
    ['a family, joined', '👨‍👩‍👧', 18],
    ['a leading surrogate alone', '\uD83D', 3],
    ['a trailing surrogate alone', '\uDE00', 3],
    ['two surrogates in the wrong order', '\uDE00\uD83D', 6],
    ['a byte order mark', '\uFEFF', 3],
    ['bytes', new Uint8Array(5), 5],
    ['a view of bytes', new Uint8Array(100).subarray(10, 17), 7],
  ];
  for (const [name, payload, bytes] of sizes) {
    test(`is ${bytes} for ${name}`, () => assert.equal(payloadBytes(payload), bytes));
  }

  test('is what TextEncoder makes of it, lone surrogates included', (t) => {
    const text = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) });
    fc.assert(
      fc.property(text, (value) => assert.equal(payloadBytes(value), new TextEncoder().encode(value).byteLength)),
      seeded(t, 500),
    );
  });
});

describe('encode and decode', () => {
  test('give back any JSON value, as text and as bytes', (t) => {
    const property = fc.property(fc.jsonValue(), (value) => {
      const text = encode(value);
      assert.deepEqual(decode(text), JSON.parse(JSON.stringify(value)));
      assert.deepEqual(decode(new TextEncoder().encode(text)), decode(text));
    });
    fc.assert(property, seeded(t, 300));
  });

  test('keep a lone surrogate, because JSON escapes it', () => {
    assert.equal(encode('\uD83D'), '"\\ud83d"');
    assert.equal(decode(new TextEncoder().encode(encode('\uD83D'))), '\uD83D');
  });

  test('read bytes of a shared pool at their own place', () => {
    const pool = new TextEncoder().encode('xx{"a":1}yy');
    assert.deepEqual(decode(pool.subarray(2, 9)), { a: 1 });
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const throwing = { toJSON: () => assert.fail('toJSON threw') };
  const unencodable: [name: string, value: unknown][] = [
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a BigInt', 1n],
    ['a cycle', cycle],
    ['a value whose toJSON throws', throwing],
  ];
  for (const [name, value] of unencodable) {
    test(`refuse ${name}`, () => {
      assert.throws(() => encode(value), refusal('invalid_input', 'The value cannot be encoded as JSON.'));
    });
  }

  for (const payload of [
    '',
    '{',
    '{"a":1} x',
    '\uFEFF1',
    "{'a':1}",
    'NaN',
    new Uint8Array([0x22, 0xff, 0x22]),
    new Uint8Array(0),
  ]) {
    test(`refuse ${JSON.stringify(payload)} without quoting it`, () =>
      assert.throws(() => decode(payload), INVALID_JSON));
  }
});

describe('the text of a payload', () => {
  test('is that of its bytes, without a byte order mark', () => {
    assert.equal(payloadText(new TextEncoder().encode('\uFEFFä😀')), 'ä😀');
  });

  const notUtf8 = {
    'a byte too many': [0x80],
    'an overlong slash': [0xc0, 0xaf],
    'half a character': [0xf0, 0x9f],
    'a surrogate': [0xed, 0xa0, 0x80],
  };
  for (const [name, bytes] of Object.entries(notUtf8)) {
    test(`is refused for bytes that are not UTF-8: ${name}`, () =>
      assert.throws(() => payloadText(new Uint8Array(bytes)), TypeError));
  }
});

describe('a payload', () => {
  test('of the limit passes, and its size comes back', () => assert.equal(requireSize(100, 100, 'ask'), 100));

  test('one byte above the limit is refused with both sizes and the hop', () => {
    assert.throws(
      () => requireSize(101, 100, 'emit'),
      (thrown) => {
        assert.ok(thrown instanceof GreenroomError);
        assert.equal(thrown.status, 413);
        assert.deepEqual(thrown.toWire(), {
          code: 'payload_too_large',
          message: 'The message is larger than the limit.',
          retryable: false,
          details: { payload_bytes: 101, limit_bytes: 100, hop: 'emit' },
        });
        return true;
      },
    );
  });
});
