// Payloads against the schema of their operation: what callers are told, and that no schema can stall the loop.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import { readEnvelope } from '../../lib/openapi/envelope.ts';
import { patternMaxChars } from '../../lib/openapi/pattern-cost.ts';
import { PreparedOperations } from '../../lib/openapi/prepared.ts';
import { MAX_STEPS } from '../../lib/openapi/bounds.ts';
import { PayloadSchema } from '../../lib/openapi/validation.ts';
import { issuesOf, operationOf, parameter, record, startCalls } from './calls.ts';

const SECRET = 'nobody-may-see-this';

function issues(schema: unknown, payload: Record<string, unknown>): string[] {
  try {
    new PayloadSchema(JSON.stringify(schema), MAX_STEPS).check(payload);
    return [];
  } catch (error) {
    const { code, message, details } = error as GreenroomError;
    assert.equal(code, 'invalid_input', message);
    const found = (details?.['issues'] ?? []) as { path: string; message: string }[];
    return found.length === 0 ? [message] : found.map((issue) => `${issue.path}: ${issue.message}`);
  }
}

test('each keyword is told by its path, and no value is repeated', () => {
  const of = (schema: unknown) => ({ properties: { query: { properties: { a: schema } } } });
  const rows: readonly (readonly [unknown, unknown, string])[] = [
    [{ type: 'number' }, SECRET, 'query.a: expected number'],
    [{ type: ['integer', 'null'] }, SECRET, 'query.a: expected integer, null'],
    [{ enum: ['x', 1] }, SECRET, 'query.a: expected one of ["x",1]'],
    [{ const: 'x' }, SECRET, 'query.a: expected "x"'],
    [{ minimum: 5 }, 4.25, 'query.a: expected at least 5'],
    [{ maximum: -1.5 }, 4.25, 'query.a: expected at most -1.5'],
    [{ exclusiveMinimum: 5 }, 4.25, 'query.a: expected more than 5'],
    [{ exclusiveMaximum: 3 }, 4.25, 'query.a: expected less than 3'],
    [{ multipleOf: 0.1 }, 4.25, 'query.a: expected a multiple of 0.1'],
    [{ minLength: 50 }, SECRET, 'query.a: expected at least 50 characters'],
    [{ maxLength: 3 }, SECRET, 'query.a: expected at most 3 characters'],
    [{ minItems: 2 }, [SECRET], 'query.a: expected at least 2 items'],
    [{ maxItems: 0 }, [SECRET], 'query.a: expected at most 0 items'],
    [{ uniqueItems: true }, [SECRET, SECRET], 'query.a: does not fit uniqueItems'],
    [{ pattern: '^[a-f]+$' }, SECRET, 'query.a: does not fit pattern'],
    [{ anyOf: [{ type: 'number' }, { const: 1 }] }, SECRET, 'query.a: fits none of the alternatives'],
    [
      { oneOf: [{ type: 'string' }, { minLength: 1 }] },
      SECRET,
      'query.a: does not fit exactly one of the alternatives',
    ],
    [{ not: { type: 'string' } }, SECRET, 'query.a: does not fit not'],
    [{ items: { properties: { b: { type: 'number' } } } }, [{ b: SECRET }], 'query.a.0.b: expected number'],
    [{ required: ['b/c'] }, { d: SECRET }, 'query.a.b/c: required'],
    [{ properties: { b: {} }, additionalProperties: false }, { 'x/~y %': SECRET }, 'query.a.x/~y %: unknown key'],
    [{ propertyNames: { maxLength: 1 } }, { bb: SECRET }, 'query.a.bb: expected at most 1 characters'],
  ];
  for (const [schema, value, expected] of rows) {
    const found = issues(of(schema), { query: { a: value } });
    assert.deepEqual(found, [expected], JSON.stringify(schema));
    assert.doesNotMatch(found.join(), new RegExp(`${SECRET}|4\\.25`));
  }
});

test('all mistakes are told, up to a number', () => {
  const schema = {
    properties: {
      path: { required: ['id'] },
      query: { properties: { n: { type: 'number' } } },
      body: { items: { type: 'string' } },
    },
  };
  const payload = { path: {}, query: { n: 'x' }, body: [1, 'a', 2] };
  assert.deepEqual(issues(schema, payload), [
    'path.id: required',
    'query.n: expected number',
    'body.0: expected string',
    'body.2: expected string',
  ]);
  const many = Array.from({ length: 30_000 }, () => 1);
  assert.equal(issues(schema, { path: { id: 1 }, query: {}, body: many }).length, 20);
});

test('references are followed, cycles included', () => {
  const schema = {
    properties: { body: { $ref: '#/$defs/Tree' } },
    $defs: {
      Tree: { type: 'object', properties: { id: { type: 'integer' }, children: { items: { $ref: '#/$defs/Tree' } } } },
    },
  };
  const tree = (id: unknown) => ({ body: { children: [{ children: [{ id }] }] } });
  assert.deepEqual(issues(schema, tree(1)), []);
  assert.deepEqual(issues(schema, tree('1')), ['body.children.0.children.0.id: expected integer']);
});

test('a schema that would take for ever is given up', () => {
  const $defs: Record<string, unknown> = { last: false };
  for (let n = 0; n < 64; n++) {
    const next = { $ref: n === 63 ? '#/$defs/last' : `#/$defs/d${n + 1}` };
    $defs[`d${n}`] = { anyOf: [next, next] };
  }
  const laughs = { properties: { body: { $ref: '#/$defs/d0' } }, $defs };
  assert.deepEqual(issues(laughs, { body: 1 }), ['The payload takes too many steps to check.']);
  const wide = { properties: { body: { items: { anyOf: Array.from({ length: 10_000 }, (_, n) => ({ const: n })) } } } };
  assert.deepEqual(issues(wide, { body: Array.from({ length: 30_000 }, () => 9_999) }), [
    'The payload takes too many steps to check.',
  ]);
  const endless = { properties: { body: { $ref: '#/properties/body' } } };
  assert.deepEqual(issues(endless, { body: 1 }), ['The payload takes too many steps to check.']);
});

test('a pattern is tried only on texts for which it is cheap', () => {
  const never = [
    '^(a+)+$',
    '(a|a)*b',
    '^(([a-z])+.)+[A-Z]$',
    String.raw`(.*)\1`,
    '(x{1,9}){1,99}',
    '[',
    '(?<n>a)\\k<n>',
    String.raw`\-`,
  ];
  for (const pattern of never) assert.equal(patternMaxChars(pattern), 0, pattern);
  const cheap = ['^[a-z]+$', String.raw`^\d{4}-\d{2}-\d{2}$`, '^(http|https)://', '^#?[0-9a-f]{6}$', '^[)*+]+$'];
  for (const pattern of cheap) assert.ok(patternMaxChars(pattern) > 1_000, pattern);
  assert.ok(patternMaxChars('^.*.*.*=.*$') < 100);
  // On these it would run for longer than this test may.
  for (const pattern of ['^(a+)+$', 'a*a*a*a*a*a*b', `${'a?'.repeat(30)}${'a'.repeat(30)}`]) {
    assert.deepEqual(issues({ properties: { body: { pattern } } }, { body: `${'a'.repeat(50_000)}!` }), [], pattern);
  }
  const named = { properties: { body: { patternProperties: { '^(a+)+$': false }, additionalProperties: false } } };
  assert.deepEqual(issues(named, { body: { [`${'a'.repeat(1_000)}!`]: 1 } }), []);
  const checked = {
    properties: {
      body: { properties: { y: {} }, patternProperties: { '^x-': { type: 'number' } }, additionalProperties: false },
    },
  };
  assert.deepEqual(issues(checked, { body: { y: 1, 'x-a': 1 } }), []);
  assert.deepEqual(issues(checked, { body: { 'x-a': 'b', z: 1 } }).sort(), [
    'body.x-a: expected number',
    'body.z: unknown key',
  ]);
});

test('keywords that hold nonsense, and those that are notes, are left out', () => {
  const odd = {
    properties: {
      body: {
        type: 'file',
        required: true,
        enum: 'a',
        properties: [],
        items: 1,
        pattern: 1,
        minimum: '1',
        $id: 'http://[',
        id: 5,
        example: { $ref: 5, id: 'http://[' },
        format: 'date',
        __proto__x: 1,
      },
    },
  };
  assert.deepEqual(issues(odd, { body: 'not a date' }), []);
  assert.deepEqual(issues({ properties: { __proto__: null, body: true } }, { body: 1 }), []);
});

test('a schema that refers to nothing fails its calls, and says that it is the document', () => {
  const schema = new PayloadSchema('{"properties":{"body":{"$ref":"#/$defs/Gone"}}}', MAX_STEPS);
  assert.throws(() => schema.check({ body: 1 }), { code: 'invalid_source' });
});

test('a payload is an object of the known keys, each once; the id of the caller is none of them and does not leave', async (t) => {
  const server = await record(t);
  const { call } = startCalls(t, { schema: { properties: {}, additionalProperties: false } });
  const operation = operationOf({ baseUrl: server.url, parameters: [parameter({ name: 'a', in: 'query' })] });
  assert.deepEqual(await issuesOf(call(operation, { limit: SECRET })), ['limit: unknown key']);
  assert.deepEqual(await issuesOf(call(operation, '[1]')), [': expected an object']);
  assert.deepEqual(await issuesOf(call(operation, '"text"')), [': expected an object']);
  assert.deepEqual(await issuesOf(call(operation, '{"query":{},"query":{}}')), ['query: given twice']);
  assert.deepEqual(await issuesOf(call(operation, { query: { a: 'x'.repeat(70_000) } })), [
    'query: expected at most 65536 bytes',
  ]);
  assert.equal(server.connections(), 0);
  assert.equal(await call(operation, 'null'), null);
  assert.equal(await call(operation, ' {"_caller_worker_id":"w-17","_caller_worker_id":"w-18"} '), null);
  assert.equal(server.heads.length, 2);
  assert.doesNotMatch(server.heads.join(), /w-1|caller/);
});

test('long payloads are taken apart wherever their pieces end', async () => {
  const text = 'x'.repeat(1_500_000);
  const { parameters, body } = await readEnvelope(
    `{"body":{"t":"${text}","u":[${'[],'.repeat(9_999)}1]},"query":{"a":1}}`,
  );
  assert.deepEqual(parameters, { query: { a: 1 } });
  assert.equal((body?.value() as { t: string }).t.length, text.length);
});

test('operations that were called last are kept parsed, in bounded number and size', () => {
  const prepared = new PreparedOperations();
  const texts = (chars: number) => ({
    operation: JSON.stringify(operationOf()),
    requestFormat: `{"title":"${'x'.repeat(chars)}"}`,
  });
  const first = texts(0);
  const kept = prepared.get(first);
  assert.equal(prepared.get(first), kept);
  for (let n = 0; n < 300; n++) {
    prepared.get(texts(0));
    prepared.get(first);
  }
  assert.equal(prepared.size, 256);
  assert.equal(prepared.get(first), kept);
  prepared.get(texts(5_000_000));
  assert.equal(prepared.size, 1);
  assert.notEqual(prepared.get(first), kept);
});
