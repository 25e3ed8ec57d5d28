// Parameters of operations: where they stand, how they are written, and which cannot be sent.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { read, reasons } from './read.ts';

describe('parameters', () => {
  const at = (path: string, operation: object) =>
    read({ openapi: '3.1.0', paths: { [path]: { get: { operationId: 'one', ...operation } } } });

  test('stand under their places, required where any of a place is', async () => {
    const { operations } = await at('/a/{id}', {
      parameters: [
        { name: 'id', in: 'path', schema: { type: 'integer' }, description: 'Of the thing.' },
        { name: 'q', in: 'query', schema: { type: 'string' } },
        { name: 'X-One', in: 'header', required: true },
        { name: 'c', in: 'cookie' },
      ],
    });
    const group = (properties: object, required?: string[]) => {
      return { type: 'object', properties, ...(required && { required }), additionalProperties: false };
    };
    assert.deepEqual(operations['one']?.request, {
      type: 'object',
      properties: {
        path: group({ id: { type: 'integer', description: 'Of the thing.' } }, ['id']),
        query: group({ q: { type: 'string' } }),
        header: group({ 'X-One': {} }, ['X-One']),
        cookie: group({ c: {} }),
      },
      required: ['path', 'header'],
      additionalProperties: false,
    });
  });

  test('are written in the style they name, or the one of their place', async () => {
    const { operations, unmapped } = await at('/a/{p}/{m}', {
      parameters: [
        { name: 'p', in: 'path' },
        { name: 'm', in: 'path', style: 'matrix', explode: true, allowReserved: true },
        { name: 'q', in: 'query', allowReserved: true },
        { name: 's', in: 'query', style: 'spaceDelimited' },
        { name: 'd', in: 'query', style: 'deepObject' },
        { name: 'h', in: 'header', style: 'form' },
        { name: 'j', in: 'query', content: { 'application/json': { schema: { type: 'object' } } } },
      ],
    });
    const shown = operations['one']?.parameters.map(({ name, style, explode, allowReserved, contentType }) => {
      return [name, style, explode, allowReserved, contentType];
    });
    assert.deepEqual(shown, [
      ['p', 'simple', false, false, null],
      ['m', 'matrix', true, false, null],
      ['q', 'form', true, true, null],
      ['s', 'spaceDelimited', false, false, null],
      ['d', 'deepObject', true, false, null],
      ['h', 'simple', false, false, null],
      ['j', 'form', true, false, 'application/json'],
    ]);
    assert.deepEqual(reasons({ unmapped }), ['A parameter has a style that its place does not have.']);
  });

  test('of the operation replace those of its path, by name and place', async () => {
    const { operations } = await read({
      openapi: '3.1.0',
      paths: {
        '/a': {
          parameters: [
            { name: 'Q', in: 'header', schema: { type: 'string' } },
            { name: 'q', in: 'query', schema: { type: 'string' } },
          ],
          get: { parameters: [{ name: 'q', in: 'header', schema: { type: 'integer' } }] },
        },
      },
    });
    const { query, header } = operations['get_a']?.request.properties ?? {};
    assert.deepEqual([query?.properties, header?.properties], [{ q: { type: 'string' } }, { q: { type: 'integer' } }]);
  });

  test('that cannot be sent are left out and listed, and cost the operation when they are required', async () => {
    const { operations, unmapped } = await at('/a/{id}', {
      parameters: [
        { name: 'gone', in: 'path' },
        { name: 'a b', in: 'header' },
        { name: 'Host', in: 'header', required: true },
        { name: 'Proxy-Status', in: 'header' },
        { name: 'Authorization', in: 'header', required: true },
        { name: 'x', in: 'body' },
        { in: 'query' },
      ],
    });
    assert.deepEqual(
      operations['one']?.parameters.map(({ name }) => name),
      ['id'],
    );
    assert.deepEqual(reasons({ unmapped }), [
      'A parameter of the path is not in the path.',
      'The name of a parameter cannot be sent.',
      'A header that belongs to the connection is left out.',
      'A parameter is in a place that is not supported.',
      'A parameter has no name or no place.',
      'A part of its path is not described; it is taken for a text.',
    ]);
    const lost = await read({
      openapi: '3.1.0',
      paths: { '/a': { get: {}, put: { parameters: [{ name: 'a b', in: 'cookie', required: true }] } } },
    });
    assert.deepEqual(Object.keys(lost.operations), ['get_a']);
    assert.deepEqual(lost.unmapped, [
      { operation: 'PUT /a', reason: 'The name of a parameter cannot be sent.', isServed: false },
    ]);
  });
});
