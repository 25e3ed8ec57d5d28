// What operations say of themselves and of their answers, and when they are the same.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { json, read, readOne } from './read.ts';
import type { Shown } from './read.ts';

describe('an answer', () => {
  test('is the first of success that has content, or else the default', async () => {
    const of = async (responses: object) => (await readOne({ responses })).response;
    assert.deepEqual(await of({ 500: json(false), 204: {}, 201: json({ type: 'null' }), '2XX': json(true) }), {
      type: 'null',
    });
    assert.deepEqual(await of({ default: json({ type: 'string' }), 404: json({}) }), { type: 'string' });
    assert.deepEqual(await of({ 200: { content: { 'text/csv': {} } } }), { type: 'string' });
    assert.equal(await of({ 200: { content: { 'image/png': {} } } }), null);
    assert.equal(await of({ 204: {} }), null);
  });

  test('is asked for by all media types of success, JSON first', async () => {
    const responses = {
      200: { content: { 'text/plain': {}, 'application/json': {} } },
      202: { content: { 'a/b': {} } },
      404: json({}),
    };
    assert.deepEqual((await readOne({ responses })).accepts, ['application/json', 'text/plain', 'a/b']);
  });
});

describe('an operation', () => {
  test('says what it is', async () => {
    const { name, label, description, method, path, isDeprecated, tags } = await readOne({
      summary: 'Makes one.',
      description: 'At once.',
      deprecated: true,
      tags: ['a', 7],
    });
    const expected = {
      name: 'one',
      label: 'POST /things',
      method: 'POST',
      path: '/things',
      isDeprecated: true,
      tags: ['a'],
    };
    assert.deepEqual({ name, label, method, path, isDeprecated, tags }, expected);
    assert.equal(description, 'Makes one.\n\nAt once.');
  });

  test('whose path has a query is not served, and a fragment is not sent', async () => {
    const { operations, unmapped } = await read({
      openapi: '3.1.0',
      paths: { '/a#one': { get: {} }, '/a?b': { get: {} }, a: { get: {} } },
    });
    assert.deepEqual(
      Object.values(operations).map(({ path }) => path),
      ['/a'],
    );
    assert.deepEqual(unmapped, [
      { operation: 'GET /a#one', reason: 'The fragment of its path is not sent.', isServed: true },
      { operation: 'GET /a?b', reason: 'Its path has a query in it.', isServed: false },
      { operation: 'GET a', reason: 'Its path does not begin with a slash.', isServed: false },
    ]);
  });

  test('has another fingerprint when anything that it reaches has changed, and else the same', async () => {
    const document = (over: { a?: object; b?: object; key?: string; title?: string } = {}) => ({
      openapi: '3.1.0',
      info: { title: over.title ?? 't' },
      paths: {
        '/a': { post: { requestBody: json({ $ref: '#/components/schemas/A' }), security: [{ key: [] }] } },
        '/b': { get: { responses: { 200: json({ $ref: '#/components/schemas/B' }) } } },
      },
      components: {
        schemas: { A: over.a ?? {}, B: over.b ?? {} },
        securitySchemes: { key: { type: 'apiKey', in: 'query', name: over.key ?? 'k' } },
      },
    });
    const prints = async (over = {}) => {
      const { operations } = await read(document(over));
      return ['post_a', 'get_b'].map((name) => (operations[name] as Shown).fingerprint);
    };
    const [a, b] = await prints();
    const changed = async (over: object) => (await prints(over)).map((print, index) => print !== [a, b][index]);
    assert.deepEqual(await changed({}), [false, false]);
    assert.deepEqual(await changed({ title: 'another' }), [false, false]);
    assert.deepEqual(await changed({ a: { type: 'string' } }), [true, false]);
    assert.deepEqual(await changed({ b: { type: 'string' } }), [false, true]);
    assert.deepEqual(await changed({ key: 'other' }), [true, false]);
  });
});
