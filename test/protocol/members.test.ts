// The members of an object, found without parsing it: where JSON.parse finds them, in one go or in pieces.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { GreenroomError } from '../../lib/errors.ts';
import { MemberReader } from '../../lib/protocol/members.ts';
import { codeOf } from '../support/start-runtime.ts';
import { seeded } from '../support/seeded.ts';

const NAMES = ['a', 'bc', 'd e'];
const refusal = (path: string) =>
  GreenroomError.of('invalid_request', { details: { issues: [{ path, message: '' }] } });
const readerThat = (unknown: (name: string) => GreenroomError | null) =>
  new MemberReader({ names: NAMES, unknown, repeated: refusal });
const lenient = readerThat(() => null);

/** The members that were found, as they were written, and in how many pieces. */
function read(source: Buffer, reader = lenient, start = 0, end = source.length) {
  let pieces = 1;
  for (let isWhole = reader.read(source, start, end); !isWhole; pieces++) isWhole = reader.goOn();
  const found = NAMES.flatMap((name, at) =>
    reader.has(at) ? [[name, source.toString('utf8', reader.startOf(at), reader.endOf(at))]] : [],
  );
  return { members: Object.fromEntries(found) as Record<string, string>, pieces };
}

const codeFrom = (text: string, reader = lenient) => codeOf((async () => read(Buffer.from(text), reader))());

describe('the members of an object', () => {
  test('are those that JSON.parse finds, and nothing of one object is left for the next', (t) => {
    const name = fc.oneof(
      fc.constantFrom(...NAMES),
      fc.string({ unit: 'binary' }).filter((text) => text !== '__proto__'),
    );
    const object = fc.dictionary(name, fc.jsonValue(), { maxKeys: 6 });
    fc.assert(
      fc.property(object, fc.constantFrom(0, 1, 2), (given, indent) => {
        const text = JSON.stringify(given, null, indent);
        const { members } = read(Buffer.from(`[${text}]`), lenient, 1, 1 + Buffer.byteLength(text));
        const expected = JSON.parse(text) as Record<string, unknown>;
        assert.deepEqual(
          Object.keys(members),
          NAMES.filter((known) => Object.hasOwn(expected, known)),
        );
        for (const [known, value] of Object.entries(members)) assert.deepEqual(JSON.parse(value), expected[known]);
      }),
      seeded(t, 1_000),
    );
  });

  test('are found in pieces when they are long, whatever stands where a piece ends', () => {
    const pattern = '\\"{}[]\\\\';
    for (let shift = 0; shift < pattern.length; shift++) {
      const long = JSON.stringify('x'.repeat(shift) + pattern.repeat(250_000));
      const { members, pieces } = read(Buffer.from(`{"a":[${long}],"bc":${long},"d e":1}`));
      assert.deepEqual(members, { a: `[${long}]`, bc: long, 'd e': '1' });
      assert.ok(pieces > 2);
    }
  });

  test('come once each; the second is refused by its name, however it is spelt', async () => {
    for (const text of ['{"a":1,"a":1}', '{"a":1,"bc":2,"\\u0061":1}', '{"\\u0061":1,"a":1}']) {
      assert.equal(await codeFrom(text), 'invalid_request', text);
    }
  });

  test('beside the known ones are skipped or refused, as the rules say', async () => {
    assert.deepEqual(read(Buffer.from('{"x":{"a":1},"bc":2,"x":3}')).members, { bc: '2' });
    const names: string[] = [];
    const strict = readerThat((name) => (names.push(name), refusal(name)));
    assert.equal(await codeFrom('{"a":1,"\\u0078\\n":1}', strict), 'invalid_request');
    assert.deepEqual(names, ['x\n']);
  });
});

describe('what is no object', () => {
  const broken = [
    '',
    ' ',
    '{',
    '{"a"',
    '{"a":',
    '{"a":}',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{"a" 1}',
    '{a:1}',
    '{"a":1}x',
  ];
  const brokenToo = [
    '{"a":1}{}',
    '{"a":"}',
    '{"a":[1}',
    '{"a":1]',
    '{,}',
    '{"a":1 "bc":2}',
    '}',
    'nope',
    '{"a":"\\"}',
    '{"\\u00":1}',
  ];

  test('is invalid_json when it is broken', async () => {
    for (const text of [...broken, ...brokenToo]) assert.equal(await codeFrom(text), 'invalid_json', text);
  });

  test('is invalid_request when it is something else', async () => {
    for (const text of ['[]', '1', 'null', '"{}"', ' [1] '])
      assert.equal(await codeFrom(text), 'invalid_request', text);
  });

  test('may be empty', () => {
    for (const text of ['{}', ' {\n} ', '\uFEFF{}']) assert.deepEqual(read(Buffer.from(text)).members, {});
  });
});
