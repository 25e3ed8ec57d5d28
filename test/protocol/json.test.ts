// What untrusted JSON may look like. Every case is tried as text and as bytes, because either may arrive.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { GreenroomError } from '../../lib/errors.ts';
import { MAX_JSON_DEPTH } from '../../lib/limits.ts';
import { parseUntrusted } from '../../lib/protocol/json.ts';
import { decode } from '../../lib/protocol/payload.ts';
import type { Payload } from '../../lib/protocol/payload.ts';
import { seeded } from '../support/seeded.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function outcomeOf(payload: Payload): unknown {
  try {
    return { value: parseUntrusted(payload) };
  } catch (thrown) {
    assert.ok(thrown instanceof GreenroomError, String(thrown));
    return thrown.toWire();
  }
}

function assertParses(text: string, value: unknown): void {
  assert.deepEqual([outcomeOf(text), outcomeOf(bytesOf(text))], [{ value }, { value }]);
}

const refusal = (message: string) => ({ code: 'invalid_json', message, retryable: false });
const INVALID = refusal('The body is not valid JSON.');
const TOO_DEEP = refusal('The body is nested deeper than 128 levels.');

function assertRefuses(text: string, expected: unknown = INVALID): void {
  assert.deepEqual([outcomeOf(text), outcomeOf(bytesOf(text))], [expected, expected]);
}

/** `inner` in that many arrays. */
const nested = (depth: number, inner = ''): string => '['.repeat(depth) + inner + ']'.repeat(depth);
/** `inner` in that many objects. */
const nestedObjects = (depth: number, inner = '1'): string => '{"a":'.repeat(depth) + inner + '}'.repeat(depth);
const padding = ' '.repeat(1_000);

describe('depth', () => {
  test('at the limit is accepted, and one past it refused, in arrays', () => {
    assertParses(nested(MAX_JSON_DEPTH), JSON.parse(nested(MAX_JSON_DEPTH)));
    assertRefuses(nested(MAX_JSON_DEPTH + 1), TOO_DEEP);
  });

  test('at the limit is accepted, and one past it refused, in objects', () => {
    assertParses(nestedObjects(MAX_JSON_DEPTH), JSON.parse(nestedObjects(MAX_JSON_DEPTH)));
    assertRefuses(nestedObjects(MAX_JSON_DEPTH + 1), TOO_DEEP);
  });

  test('at the limit is accepted, and one past it refused, in both mixed and among spaces', () => {
    const half = MAX_JSON_DEPTH / 2;
    assertParses(padding + nestedObjects(half, nested(half)) + padding, JSON.parse(nestedObjects(half, nested(half))));
    assertRefuses(padding + nestedObjects(half, nested(half + 1)) + padding, TOO_DEEP);
  });

  test('counts what is open at once, not what was opened', () => {
    const many = `[${Array.from({ length: 1_000 }, () => '[{}]').join(',')}]`;
    assertParses(many, JSON.parse(many));
  });

  test('does not count brackets inside strings', () => {
    const text = '['.repeat(1_000);
    assertParses(JSON.stringify([text, { [text]: text }]), [text, { [text]: text }]);
  });

  test('does not count brackets behind escaped quotes, however many backslashes precede them', () => {
    for (let backslashes = 0; backslashes < 6; backslashes++) {
      const text = `${'\\'.repeat(backslashes)}"${'['.repeat(500)}`;
      assertParses(JSON.stringify([text]), [text]);
    }
  });

  test('counts brackets behind a string that ends in backslashes', () => {
    for (const backslashes of [1, 2, 3]) {
      const text = JSON.stringify('\\'.repeat(backslashes));
      assertRefuses(`[${text},${nested(MAX_JSON_DEPTH)}${padding}]`, TOO_DEEP);
    }
  });

  test('does not hide behind brackets that close nothing', () => {
    assertRefuses(']'.repeat(200) + nested(200));
  });

  test('of a million levels is refused, and does not overflow the stack', () => {
    assertRefuses('['.repeat(1_000_000), TOO_DEEP);
  });

  test('of a string that never ends is not looked for', () => {
    assertRefuses(`["${'['.repeat(1_000)}`);
    assertRefuses(`["${'\\"'.repeat(1_000)}`);
  });
});

describe('a key that poisons', () => {
  const keys = [
    '{"__proto__":{"a":1}}',
    '{"__proto__":null}',
    '{"\\u005f\\u005fproto\\u005f\\u005f":1}',
    '{"\\u005F_proto_\\u005F" : 1}',
    '{"__\\u0070\\u0072\\u006f\\u0074\\u006F__":1}',
    '[[{"a":{"__proto__":1}}]]',
    '{"constructor":{"prototype":{"a":1}}}',
    '{"\\u0063onstructor":{"prototyp\\u0065":1}}',
    '{"a":[{"constructor" :{"prototype":null}}]}',
  ];
  for (const text of keys) test(`is refused: ${text}`, () => assertRefuses(text));

  test('is refused in a large body too', () => assertRefuses(`{"a":"${'x'.repeat(10_000)}","b":{"__proto__":1}}`));

  const harmless = [
    '"__proto__"',
    '["__proto__:"]',
    '{"a":"__proto__"}',
    '{"proto":1}',
    '{"constructor":1}',
    '{"constructor":null}',
    '{"prototype":{"a":1}}',
    '{"constructor":{"a":1}}',
  ];
  for (const text of harmless) test(`is not seen in ${text}`, () => assertParses(text, JSON.parse(text)));
});

describe('a body', () => {
  for (const text of ['null', 'true', '0', '-0.5e3', '""', '"\\ud83d"', '{}', '[]', ' \t\r\n1 ', '{"":1}']) {
    test(`of any JSON value is accepted: ${text}`, () => assertParses(text, JSON.parse(text)));
  }

  for (const text of [
    '',
    ' ',
    '{',
    '[1,]',
    '{"a":1,}',
    "{'a':1}",
    'undefined',
    'NaN',
    '01',
    '1 2',
    '"\n"',
    '// no\n1',
    '\u00a01',
  ]) {
    test(`that is not JSON is refused without a quotation: ${JSON.stringify(text)}`, () => assertRefuses(text));
  }

  test('with a key twice has the last value, as JSON.parse has it', () => {
    assertParses('{"a":1,"b":2,"a":3}', { a: 3, b: 2 });
    assertParses('{"a":1,"\\u0061":{"c":2}}', { a: { c: 2 } });
  });

  test('that is not UTF-8 is refused as such', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc3],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
    ]) {
      assert.deepEqual(outcomeOf(new Uint8Array(bytes)), refusal('The body is not valid UTF-8.'));
    }
  });

  test('that begins with a byte order mark is accepted as bytes, where it is part of the encoding', () => {
    assert.deepEqual(outcomeOf(bytesOf('\uFEFF{"a":1}')), { value: { a: 1 } });
  });

  test('that begins with one in its text, or has two, is refused', () => {
    assert.deepEqual(outcomeOf('\uFEFF{"a":1}'), INVALID);
    assert.deepEqual(outcomeOf(bytesOf('\uFEFF\uFEFF{"a":1}')), INVALID);
  });

  test('in UTF-16 is refused', () => {
    assert.deepEqual(outcomeOf(new Uint8Array(Buffer.from('{"a":1}', 'utf16le'))), INVALID);
  });
});

test('whatever is accepted, as text or bytes, is decoded to the same value later', (t) => {
  const fragment = fc.constantFrom(
    '[',
    ']',
    '{',
    '}',
    '"',
    '\\',
    ',',
    ':',
    '1',
    '"a"',
    '"a":',
    '\uFEFF',
    ' ',
    '__proto__',
    '"constructor":',
    'null',
  );
  const text = fc.oneof(
    fc.json(),
    fc.array(fragment, { maxLength: 12 }).map((parts) => parts.join('')),
  );
  const property = fc.property(text, fc.boolean(), fc.boolean(), (body, asBytes, isPadded) => {
    const full = isPadded ? body + padding : body;
    const payload = asBytes ? bytesOf(full) : full;
    const outcome = outcomeOf(payload);
    if (Object.hasOwn(outcome as object, 'value')) assert.deepEqual(outcome, { value: decode(payload) });
    else assert.deepEqual(outcome, INVALID);
  });
  fc.assert(property, seeded(t, 2_000));
});
