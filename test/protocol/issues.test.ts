import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as v from 'valibot';
import { GreenroomError } from '../../lib/errors.ts';
import type { ErrorCode } from '../../lib/errors.ts';
import { requireValid } from '../../lib/protocol/issues.ts';

/** The issues with which a value is refused; `accepted` if it is not. */
function issuesOf(schema: v.GenericSchema, value: unknown, under?: string): unknown {
  try {
    requireValid(schema, value, 'invalid_input', under);
  } catch (thrown) {
    assert.ok(thrown instanceof GreenroomError, String(thrown));
    return thrown.details?.['issues'];
  }
  return 'accepted';
}

const sum = v.strictObject({ add: v.number(), note: v.optional(v.pipe(v.string(), v.maxLength(3))) });

describe('requireValid', () => {
  test("returns the schema's output, defaults and transforms included", () => {
    const schema = v.object({ a: v.optional(v.number(), 1), b: v.pipe(v.string(), v.trim()) });
    assert.deepEqual(requireValid(schema, { b: ' x ' }, 'invalid_input'), { a: 1, b: 'x' });
  });

  for (const code of ['invalid_input', 'invalid_request', 'invalid_query'] satisfies ErrorCode[]) {
    test(`throws the code that it was given: ${code}`, () => {
      assert.throws(() => requireValid(sum, {}, code), {
        code,
        details: { issues: [{ path: 'add', message: 'required' }] },
      });
    });
  }

  test('names a key that is missing, and one that is unknown', () => {
    assert.deepEqual(issuesOf(sum, { by: 2 }), [
      { path: 'add', message: 'required' },
      { path: 'by', message: 'unknown key' },
    ]);
  });

  test('names what it expected, at the path', () => {
    assert.deepEqual(issuesOf(sum, { add: '1', note: 'long' }), [
      { path: 'add', message: 'expected number' },
      { path: 'note', message: 'expected <=3' },
    ]);
  });

  test('names items of lists by their place', () => {
    const schema = v.object({ sums: v.array(sum) });
    assert.deepEqual(issuesOf(schema, { sums: [{ add: 1 }, { add: null }] }), [
      { path: 'sums.1.add', message: 'expected number' },
    ]);
  });

  test('has no path for the root, and that of the surrounding message in front of any other', () => {
    assert.deepEqual(issuesOf(sum, 3), [{ path: '', message: 'expected Object' }]);
    assert.deepEqual(issuesOf(sum, undefined), [{ path: '', message: 'required' }]);
    assert.deepEqual(issuesOf(sum, 3, 'config'), [{ path: 'config', message: 'expected Object' }]);
    assert.deepEqual(issuesOf(sum, {}, 'config'), [{ path: 'config.add', message: 'required' }]);
  });

  test("passes on the message of an author's own check", () => {
    const schema = v.pipe(
      v.string(),
      v.check(() => false, 'must be a palindrome'),
    );
    assert.deepEqual(issuesOf(schema, 'secret'), [{ path: '', message: 'must be a palindrome' }]);
  });

  const quoting: [schema: v.GenericSchema, value: unknown, message: string][] = [
    [v.pipe(v.string(), v.email()), 'secret', 'Invalid email'],
    [v.pipe(v.string(), v.uuid()), 'secret', 'Invalid UUID'],
    [
      v.pipe(
        v.string(),
        v.check(() => false),
      ),
      'secret',
      'Invalid input',
    ],
    [v.pipe(v.number(), v.integer()), 47.11, 'Invalid integer'],
    [v.pipe(v.string(), v.regex(/^a$/)), 'secret', 'expected /^a$/'],
    [v.picklist(['a', 'b']), 'secret', 'expected ("a" | "b")'],
    [v.literal(1), 4711, 'expected 1'],
  ];
  for (const [schema, value, message] of quoting) {
    test(`does not quote the value: ${message}`, () =>
      assert.deepEqual(issuesOf(schema, value), [{ path: '', message }]));
  }

  test('names the first twenty issues and no more', () => {
    const schema = v.array(v.number());
    const items = Array.from({ length: 20 }, (_, n) => ({ path: String(n), message: 'expected number' }));
    assert.deepEqual(issuesOf(schema, new Array(20).fill('x')), items);
    assert.deepEqual(issuesOf(schema, new Array(21).fill('x')), items);
  });
});
