// Documents of 2.0, in the words of 3.x.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { read } from './read.ts';
import type { ReadOptions, Shown } from './read.ts';

async function one(operation: object, rest: object = {}, options: ReadOptions = {}) {
  const paths = { '/a': { post: { operationId: 'one', ...operation } } };
  const { operations, ...reading } = await read({ swagger: '2.0', host: 'api.test', paths, ...rest }, options);
  return { ...reading, ...(operations['one'] as Shown) };
}

test('lists are written as collectionFormat says', async () => {
  const list = { in: 'query', type: 'array', items: { type: 'integer' } };
  const { parameters, request, unmapped } = await one({
    parameters: [
      { name: 'default', ...list },
      { name: 'multi', ...list, collectionFormat: 'multi' },
      { name: 'ssv', ...list, collectionFormat: 'ssv' },
      { name: 'pipes', ...list, collectionFormat: 'pipes' },
      { name: 'tsv', ...list, collectionFormat: 'tsv' },
      { name: 'header', ...list, in: 'header', required: true, maxItems: 3 },
    ],
  });
  assert.deepEqual(
    parameters.map(({ name, style, explode }) => [name, style, explode]),
    [
      ['default', 'form', false],
      ['multi', 'form', true],
      ['ssv', 'spaceDelimited', false],
      ['pipes', 'pipeDelimited', false],
      ['header', 'simple', false],
    ],
  );
  const { header } = request.properties ?? {};
  assert.deepEqual(header?.properties, { header: { type: 'array', items: { type: 'integer' }, maxItems: 3 } });
  assert.deepEqual(header?.required, ['header']);
  const reason = 'A parameter that is a list is written in a way that is not supported; it is left out.';
  assert.deepEqual(unmapped, [{ operation: 'POST /a', reason, isServed: true }]);
});

test('a body is one of the media types that are consumed, and may be referred to', async () => {
  const parameters = { B: { in: 'body', name: 'b', required: true, schema: { $ref: '#/definitions/A' } } };
  const rest = {
    parameters,
    definitions: { A: { type: 'object' } },
    consumes: ['application/xml', 'application/json'],
  };
  const { body, request } = await one({ parameters: [{ $ref: '#/parameters/B' }] }, rest);
  assert.deepEqual([body?.kind, body?.required], ['json', true]);
  assert.deepEqual([request.properties, request.$defs], [{ body: { $ref: '#/$defs/A' } }, { A: { type: 'object' } }]);
  const text = await one({ parameters: [{ $ref: '#/parameters/B' }], consumes: ['text/plain'] }, rest);
  assert.equal(text.body?.contentType, 'text/plain');
});

test('fields of a form become one body, with all that is said of each', async () => {
  const parameters = [
    { in: 'formData', name: 'n', type: 'array', items: { type: 'integer' }, collectionFormat: 'multi', required: true },
    { in: 'formData', name: 'e', type: 'string', enum: ['a'] },
  ];
  const form = await one({ parameters });
  assert.deepEqual(form.body, {
    required: true,
    contentType: 'application/x-www-form-urlencoded',
    kind: 'form',
    encoding: { n: { style: 'form', explode: true } },
    files: [],
  });
  assert.deepEqual(form.request.properties?.['body'], {
    type: 'object',
    properties: { n: { type: 'array', items: { type: 'integer' } }, e: { type: 'string', enum: ['a'] } },
    required: ['n'],
    additionalProperties: false,
  });
  const upload = await one({ parameters: [...parameters, { in: 'formData', name: 'f', type: 'file' }] });
  assert.deepEqual([upload.body?.kind, upload.body?.files], ['multipart', ['f']]);
});

test('an answer has the media types that the operation produces, else the document', async () => {
  const responses = { 200: { schema: { type: 'string' } } };
  const rest = { produces: ['application/json', 'application/xml'] };
  assert.deepEqual((await one({ responses }, rest)).accepts, ['application/json', 'application/xml']);
  assert.deepEqual((await one({ responses, produces: ['text/csv'] }, rest)).accepts, ['text/csv']);
  const file = await one({ responses: { 200: { schema: { type: 'file' } } } });
  assert.deepEqual([file.accepts, file.response], [['application/octet-stream'], null]);
});

test('the server is put together from its pieces', async () => {
  const of = async (rest: object, operation: object = {}, options: ReadOptions = {}) => {
    return (await one(operation, rest, options)).baseUrl;
  };
  assert.equal(await of({ basePath: '/v1/', schemes: ['http', 'https'] }), 'https://api.test/v1');
  assert.equal(await of({ schemes: ['https'] }, { schemes: ['http'] }), 'http://api.test');
  assert.equal(await of({}, {}, { documentUrl: 'http://docs.test/x/api.json' }), 'http://api.test');
  assert.equal(await of({}, {}, { documentUrl: null }), 'https://api.test');
  assert.equal(
    await of({ host: '', basePath: '/v1' }, {}, { documentUrl: 'http://docs.test/x/api.json' }),
    'http://docs.test/v1',
  );
});

test('security definitions are schemes', async () => {
  const securityDefinitions = {
    basic: { type: 'basic' },
    key: { type: 'apiKey', in: 'query', name: 'k' },
    oauth: { type: 'oauth2', flow: 'implicit' },
  };
  const { securitySchemes, security } = await one(
    { security: [{ basic: [] }, { key: [], oauth: ['read'] }] },
    { securityDefinitions },
  );
  assert.deepEqual(securitySchemes, {
    basic: { type: 'basic' },
    key: { type: 'apiKey', in: 'query', name: 'k' },
    oauth: { type: 'bearer' },
  });
  assert.deepEqual(security, [['basic'], ['key', 'oauth']]);
});
