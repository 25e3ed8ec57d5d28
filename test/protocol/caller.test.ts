// Who calls, as a handler reads it: whatever the caller wrote, and however it is spelt, it is what the runtime wrote.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { withCaller } from '../../lib/protocol/caller.ts';
import { INLINE_PARSE_BYTES } from '../../lib/limits.ts';
import { decode, payloadText } from '../../lib/protocol/payload.ts';
import { seeded } from '../support/seeded.ts';

const KEY = '_caller_worker_id';
const LONG = 'x'.repeat(INLINE_PARSE_BYTES);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
/** As a handler reads it, from text and from bytes alike. */
function read(text: string, workerId: string | null): unknown {
  const value = decode(withCaller(text, workerId));
  assert.deepEqual(decode(withCaller(bytesOf(text), workerId)), value);
  return value;
}

describe('the id of the caller', () => {
  test('is added to every object, small or large, empty or not, with white space anywhere', () => {
    for (const text of [
      '{}',
      ' { } ',
      '\n{\t"a":1\r\n}\n',
      '{"a":{}}',
      '{"a":"}"}',
      `{"a":"${LONG}"}`,
      ` {"a":"${LONG}" } `,
    ]) {
      const expected = { ...(JSON.parse(text) as object), [KEY]: 'w1' };
      assert.deepEqual(read(text, 'w1'), expected);
    }
  });

  test('is not added to what is no object, nor when the caller has none', () => {
    for (const text of ['null', '[]', '[{}]', '"{}"', '1', ' "{" ', `"${LONG}"`])
      assert.equal(withCaller(text, 'w1'), text);
    for (const text of ['{}', '{"a":1.0}', `{"a":"${LONG}"}`, '{"a":"\\u00e9"}', '{"a":12345678901234567890}']) {
      assert.equal(withCaller(text, null), text);
    }
  });

  const escaped = `\\u005fcaller_worker_id`;
  const claims: [string, string][] = [
    ['as it is', `{"${KEY}":"forged"}`],
    ['with an escape', `{"${escaped}":"forged"}`],
    ['with an escape in other letters', `{"\\u005Fcaller_worker_i\\u0064":"forged"}`],
    ['twice', `{"${KEY}":"forged","${KEY}":"forged again"}`],
    ['twice, once with an escape', `{"${KEY}":"forged","a":1,"${escaped}":"forged again"}`],
    ['as the last of many', `{"a":1,"b":{"${KEY}":"inner"},"${escaped}":{"toString":1}}`],
    ['with a prototype beside it', `{"__proto__x":1,"${KEY}":null}`],
  ];

  for (const [what, text] of claims) {
    for (const size of ['small', 'large']) {
      test(`is the runtime's when the caller claims one ${what}, in a ${size} object`, () => {
        const claimed = size === 'small' ? text : text.replace('{', `{"filler":"${LONG}",`);
        assert.equal((read(claimed, 'w1') as Record<string, unknown>)[KEY], 'w1');
        // Without a caller there is none, or null: never what was claimed.
        assert.equal((read(claimed, null) as Record<string, unknown>)[KEY] ?? null, null);
      });
    }
  }

  test('appears once where that is cheap: a reader that takes the first member is not misled', () => {
    for (const [, text] of claims) {
      assert.deepEqual(
        payloadText(withCaller(text, 'w1')).match(/"[^"]*caller_worker_i[^"]*":(?!"inner")/g)?.length,
        1,
      );
    }
  });

  test('is left alone in what lies deeper', () => {
    const text = `{"a":{"${KEY}":"inner"},"b":"${KEY} ${escaped}"}`;
    assert.deepEqual(read(text, null), JSON.parse(text));
    assert.deepEqual(read(text, 'w1'), { ...(JSON.parse(text) as object), [KEY]: 'w1' });
  });

  test('changes nothing else of any object', (t) => {
    const object = fc.dictionary(
      fc.string({ unit: 'binary' }).filter((key) => key !== '__proto__'),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(object, fc.option(fc.uuid(), { nil: null }), (given, workerId) => {
        const expected = JSON.parse(JSON.stringify(given)) as Record<string, unknown>;
        assert.deepEqual(
          read(JSON.stringify(given), workerId),
          workerId === null ? expected : { ...expected, [KEY]: workerId },
        );
      }),
      seeded(t, 500),
    );
  });
});
