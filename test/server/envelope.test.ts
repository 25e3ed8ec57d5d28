import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { GreenroomError } from '../../lib/errors.ts';
import { EnvelopeReader } from '../../lib/server/envelope.ts';
import { seeded } from '../support/seeded.ts';

const reader = new EnvelopeReader();

/** What a line says, its input as text; or the code and the first issue of its refusal. */
function read(line: string): unknown {
  const bytes = Buffer.from(`junk${line}junk`);
  try {
    for (let isRead = reader.read(bytes, 4, bytes.length - 4); !isRead;) isRead = reader.goOn();
  } catch (error) {
    const { code, details } = error as GreenroomError;
    const issue = (details?.['issues'] as { path: string; message: string }[] | undefined)?.[0];
    return issue === undefined ? code : `${code}: ${issue.path} ${issue.message}`;
  }
  const { workerId, inputStart, inputEnd, idempotencyKey, deadlineMs } = reader;
  const input = bytes.toString('utf8', inputStart, inputEnd);
  return {
    workerId,
    input,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(deadlineMs !== undefined && { deadlineMs }),
  };
}

for (const [line, expected] of [
  ['{"worker_id":"w","input":1}', { workerId: 'w', input: '1' }],
  ['{"input":{"a":[1,"}",{"b":"\\"]"}]},"worker_id":"w"}', { workerId: 'w', input: '{"a":[1,"}",{"b":"\\"]"}]}' }],
  [' { "worker_id" : "w" , "input" : null } \t', { workerId: 'w', input: 'null' }],
  ['\uFEFF{"worker_id":"w","input":"x"}', { workerId: 'w', input: '"x"' }],
  ['{"worker\\u005fid":"\\u0077","input":[]}', { workerId: 'w', input: '[]' }],
  ['{"worker_id":"w","input":"a\\\\"}', { workerId: 'w', input: '"a\\\\"' }],
  [
    '{"idempotency_key":"k 1","deadline_ms":250,"worker_id":"w","input":-1.5e3}',
    { workerId: 'w', input: '-1.5e3', idempotencyKey: 'k 1', deadlineMs: 250 },
  ],
  ['{"worker_id":"w"}', 'invalid_request: input required'],
  ['{"input":1}', 'invalid_request: worker_id required'],
  ['{}', 'invalid_request: worker_id required'],
  ['{"worker_id":7,"input":1}', 'invalid_request: worker_id expected string'],
  ['{"worker_id":"w","input":1,"more":2}', 'invalid_request: more unknown key'],
  ['{"worker_id":"w","input":1,"__proto__":{}}', 'invalid_request: __proto__ unknown key'],
  ['{"worker_id":"w","input":1,"input":2}', 'invalid_request: input given more than once'],
  [
    '{"worker_id":"w","input":1,"deadline_ms":0}',
    'invalid_request: deadline_ms expected a whole number from 1 to 86400000',
  ],
  [
    '{"worker_id":"w","input":1,"deadline_ms":1.5}',
    'invalid_request: deadline_ms expected a whole number from 1 to 86400000',
  ],
  [
    '{"worker_id":"w","input":1,"idempotency_key":""}',
    'invalid_request: idempotency_key expected 1 to 255 printable ASCII characters',
  ],
  ['[1]', 'invalid_request:  expected an object'],
  ['"text"', 'invalid_request:  expected an object'],
  ['nonsense', 'invalid_json'],
  ['{"worker_id":"w","input":}', 'invalid_json'],
  ['{"worker_id":"w","input":1', 'invalid_json'],
  ['{"worker_id":"w","input":[1}', 'invalid_json'],
  ['{"worker_id":"w","input":"x', 'invalid_json'],
  ['{"worker_id":"w","input":"x\\', 'invalid_json'],
  ['{"worker_id":"w" "input":1}', 'invalid_json'],
  ['{"worker_id":"w",,"input":1}', 'invalid_json'],
  ['{"worker_id":"w","input":1,}', 'invalid_json'],
  ['{"worker_id" "w","input":1}', 'invalid_json'],
  ['{"worker_id":"w","input":1} {}', 'invalid_json'],
  ['{worker_id:"w","input":1}', 'invalid_json'],
] as const) {
  test(`the line ${line} is ${typeof expected === 'string' ? 'refused' : 'read'}`, () => {
    assert.deepEqual(read(line), expected);
  });
}

test('an input of many pieces is found, whatever lies where they meet', () => {
  for (const unit of ['x', '\\"', '\\\\', 'ä']) {
    const input = `[{"a":"${unit.repeat(700_000)}"},["]"]]`;
    assert.deepEqual(read(`{"input":${input},"worker_id":"w"}`), { workerId: 'w', input });
    assert.deepEqual(read(`{"worker_id":"w","input":"${unit.repeat(700_000)}`), 'invalid_json');
  }
});

test('a random input is found as it was written, whatever stands around it', (t) => {
  const space = fc.constantFrom('', ' ', '\t ');
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), fc.boolean(), space, (input, isFirst, gap) => {
      const members = [`${gap}"worker_id"${gap}:${gap}"w.1"`, `"input":${gap}${input}${gap}`];
      const line = `{${(isFirst ? members.reverse() : members).join(',')}}`;
      assert.deepEqual(read(line), { workerId: 'w.1', input: input.trim() });
    }),
    seeded(t, 1_000),
  );
});

test('what it lets through is JSON, or its input is not', (t) => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    '\\',
    ' ',
    '1',
    'true',
    '"worker_id"',
    '"input"',
    '"w"',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 16 }), (pieces) => {
      const line = `{"worker_id":"w","input":${pieces.join('')}}`;
      const result = read(line);
      if (typeof result === 'string') return;
      const { input } = result as { input: string };
      assert.equal(isJson(line), isJson(input), line);
    }),
    seeded(t, 2_000),
  );
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
