// Schemas of documents as schemas of 2020-12, each checked as the body of a request or of a response.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Validator } from '@cfworker/json-schema';
import { encode } from '../../lib/openapi/encoding.ts';
import { MAX_SCHEMA_TEXT_CHARS } from '../../lib/openapi/bounds.ts';
import { json, read, readOne } from './read.ts';

async function bodyOf(schema: unknown, rest: object = {}) {
  const { request, unmapped } = await readOne({ requestBody: json(schema) }, rest);
  return {
    body: request.properties?.['body'] as unknown,
    defs: request.$defs,
    notes: unmapped.map(({ reason }) => reason),
  };
}

async function answerOf(schema: unknown, rest: object = {}) {
  const { response } = await readOne({ responses: { 200: json(schema) } }, rest);
  return response;
}

const legacy = { openapi: '3.0.3' };

describe('a schema', () => {
  test('of 3.0 loses what only OpenAPI knows, and is translated where 2020-12 says it otherwise', async () => {
    const { body } = await bodyOf(
      {
        type: 'object',
        discriminator: { propertyName: 'kind' },
        xml: { name: 'x' },
        externalDocs: {},
        'x-own': 1,
        example: {},
        properties: {
          example: { type: 'string', nullable: true, example: 'an example' },
          age: {
            type: 'integer',
            minimum: 0,
            exclusiveMinimum: true,
            maximum: 9,
            exclusiveMaximum: false,
            nullable: true,
          },
          either: { nullable: true, allOf: [{ type: 'string' }], description: 'Or not.' },
          state: { type: 'string', nullable: true, enum: ['on', 'off'] },
        },
      },
      legacy,
    );
    assert.deepEqual(body, {
      type: 'object',
      properties: {
        example: { type: ['string', 'null'] },
        age: { type: ['integer', 'null'], exclusiveMinimum: 0, maximum: 9 },
        either: { description: 'Or not.', anyOf: [{ allOf: [{ type: 'string' }] }, { type: 'null' }] },
        state: { type: ['string', 'null'], enum: ['on', 'off', null] },
      },
    });
  });

  test('loses keywords whose value is of another kind than they need', async () => {
    const { body } = await bodyOf({
      type: ['string', 'any'],
      required: true,
      enum: 'a',
      properties: [],
      minLength: '3',
      maxLength: -1,
      multipleOf: 0,
      allOf: {},
      items: 7,
      additionalProperties: 'no',
      not: null,
      format: 3,
    });
    assert.deepEqual(body, { type: 'string' });
  });

  test('keeps a list of items as prefixItems', async () => {
    const { body } = await bodyOf({ items: [{ type: 'string' }, true], additionalItems: false });
    assert.deepEqual(body, { prefixItems: [{ type: 'string' }, true], items: false });
  });

  test('does not require what is read-only of a request, nor what is write-only of a response', async () => {
    const schema = {
      type: 'object',
      required: ['id', 'secret', 'name', 'link'],
      properties: {
        id: { readOnly: true },
        secret: { writeOnly: true },
        name: {},
        link: { $ref: '#/components/schemas/Link' },
      },
    };
    const rest = { components: { schemas: { Link: { type: 'string', readOnly: true } } } };
    const { body } = await bodyOf(schema, rest);
    assert.deepEqual((body as { required: unknown }).required, ['secret', 'name']);
    assert.deepEqual((await answerOf(schema, rest))?.required, ['id', 'name', 'link']);
  });

  test('has what it refers to under $defs, and nothing else of the document', async () => {
    const schemas = {
      'A b/~c': { type: 'object', properties: { next: { $ref: '#/components/schemas/Node' } } },
      Node: { type: 'object', properties: { next: { $ref: '#/components/schemas/Node' } } },
      Other: {},
    };
    const { body, defs } = await bodyOf({ $ref: '#/components/schemas/A%20b~1~0c' }, { components: { schemas } });
    const name = Object.keys(defs ?? {})[0] as string;
    assert.match(name, /^A_b_c_[0-9a-f]{8}$/);
    assert.deepEqual(body, { $ref: `#/$defs/${name}` });
    const node = { type: 'object', properties: { next: { $ref: '#/$defs/Node' } } };
    assert.deepEqual(defs, { [name]: node, Node: node });
  });

  test('beside a reference counts from 3.1 on', async () => {
    const rest = { components: { schemas: { A: { type: 'string' } } } };
    const schema = { $ref: '#/components/schemas/A', maxLength: 3, description: 'Short.' };
    assert.deepEqual((await bodyOf(schema, rest)).body, { maxLength: 3, description: 'Short.', $ref: '#/$defs/A' });
    assert.deepEqual((await bodyOf(schema, { ...rest, ...legacy })).body, { $ref: '#/$defs/A', description: 'Short.' });
  });

  test('that applies itself to the same value without end is left open and listed', async () => {
    const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
    const schemas = {
      Self: { allOf: [ref('Self')], type: 'object' },
      Ping: ref('Pong'),
      Pong: { oneOf: [{ not: ref('Ping') }] },
      Deep: { type: 'object', properties: { self: ref('Self'), ping: ref('Ping'), deep: ref('Deep') } },
    };
    const { request, unmapped } = await readOne({ requestBody: json(ref('Deep')) }, { components: { schemas } });
    const reason = 'A part of a schema is left open. A schema applies itself to the same value without end.';
    assert.deepEqual(unmapped, [{ operation: 'POST /things', reason, isServed: true }]);
    assert.deepEqual(request.$defs?.['Self'], { allOf: [{}], type: 'object' });
    const validator = new Validator(request as object, '2020-12');
    assert.equal(validator.validate({ body: { self: {}, ping: 1, deep: { deep: {} } } }).valid, true);
    assert.equal(validator.validate({ body: { deep: { deep: { self: 1 } } } }).valid, false);
  });

  test('with references that lead nowhere is left open there', async () => {
    const schemas = { Text: 'no schema' };
    const { body, notes } = await bodyOf(
      {
        properties: {
          a: { $ref: '#/nowhere' },
          b: { $ref: '#anchor' },
          c: { $ref: '#/components/schemas/Text' },
          d: { $dynamicRef: '#x' },
        },
      },
      { components: { schemas } },
    );
    assert.deepEqual(body, { properties: { a: {}, b: {}, c: {}, d: {} } });
    assert.deepEqual(notes, [
      'A part of a schema is left open. A reference leads nowhere.',
      'A part of a schema is left open. A reference is no JSON pointer.',
      'A part of a schema is left open. A reference leads to no schema.',
      'A part of a schema is left open: its reference is dynamic.',
    ]);
  });

  test('that is too large is open where it is furthest from its root', async () => {
    const text = 'x'.repeat(500);
    const wide = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`p${index}`, { description: text }]));
    const schemas = {
      Near: { properties: { far: { $ref: '#/components/schemas/Far' }, ...wide } },
      Far: { properties: wide },
    };
    const { defs, notes } = await bodyOf({ $ref: '#/components/schemas/Near' }, { components: { schemas } });
    assert.equal(Object.keys((defs?.['Near'] as { properties: object }).properties).length, 101);
    assert.deepEqual(defs?.['Far'], {});
    assert.deepEqual(notes, ['A part of a schema is left open: it is too large.']);
    const twice = {
      properties: { ...wide, ...Object.fromEntries(Object.entries(wide).map(([key, value]) => [`q${key}`, value])) },
    };
    assert.deepEqual((await bodyOf(twice)).body, {});
  });
});

describe('a pattern', () => {
  test('that may take exponential time, or is none, is dropped and listed', async () => {
    const properties = { evil: { pattern: '^(a+)+$' }, none: { pattern: '[' }, good: { pattern: '^a+$' } };
    const { body, notes } = await bodyOf({ properties });
    assert.deepEqual(body, { properties: { evil: {}, none: {}, good: { pattern: '^a+$' } } });
    assert.deepEqual(notes, [
      'A pattern is not checked: it may take too long, or is no regular expression of JavaScript.',
    ]);
  });

  test('of property names that is dropped leaves other properties allowed', async () => {
    const { body, notes } = await bodyOf({
      patternProperties: { '^x-': {}, '(a*)*': {} },
      additionalProperties: false,
    });
    assert.deepEqual(body, { patternProperties: { '^x-': {} } });
    assert.deepEqual(notes, [
      'A pattern of property names is not checked: it may take too long, or is no regular expression of JavaScript.',
    ]);
  });
});

test('texts about a schema are cut, and texts that it compares with are not', async () => {
  const long = 'x'.repeat(MAX_SCHEMA_TEXT_CHARS + 1);
  const { body } = await bodyOf({ description: long, const: long, enum: [long] });
  assert.deepEqual(body, { description: `${long.slice(0, MAX_SCHEMA_TEXT_CHARS - 1)}…`, const: long, enum: [long] });
});

test('texts are encoded in characters of one byte, and mean the same', async () => {
  const value = { text: 'né 日本 💥 \ud800' };
  const text = encode(value);
  assert.doesNotMatch(text, /[\u0100-\uffff]/);
  assert.deepEqual(JSON.parse(text), value);
  const { operations } = await read({ openapi: '3.1.0', paths: { '/a': { get: { summary: '日本' } } } });
  assert.equal(operations['get_a']?.description, '日本');
});
