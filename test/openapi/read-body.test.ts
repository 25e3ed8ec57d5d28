// Bodies of requests: which media type is sent, and how a caller gives it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { json, read, readOne, reasons } from './read.ts';

describe('a body', () => {
  test('is of the best media type that there is', async () => {
    const kinds = async (...types: string[]) => {
      const content = Object.fromEntries(types.map((type) => [type, {}]));
      const { body } = await readOne({ requestBody: { content } });
      return `${body?.kind} ${body?.contentType}`;
    };
    assert.equal(
      await kinds('text/plain', 'image/png', 'application/vnd.api+json; v=1'),
      'json application/vnd.api+json; v=1',
    );
    assert.equal(
      await kinds('application/x-www-form-urlencoded', 'multipart/form-data'),
      'multipart multipart/form-data',
    );
    assert.equal(
      await kinds('text/plain', 'application/x-www-form-urlencoded'),
      'form application/x-www-form-urlencoded',
    );
    assert.equal(await kinds('application/zip', 'application/xml'), 'text application/xml');
    assert.equal(await kinds('application/zip'), 'binary application/zip');
    assert.equal(await kinds('text/plain\n; a=b', 'application/zip'), 'binary application/zip');
    assert.equal(await kinds('*/*'), 'json application/json');
    assert.equal(await kinds('image/*'), 'binary application/octet-stream');
  });

  test('that is required is required, and without a media type costs the operation', async () => {
    assert.deepEqual((await readOne({ requestBody: { required: true, ...json({}) } })).request.required, ['body']);
    assert.deepEqual((await readOne({ requestBody: json({}) })).request.required, undefined);
    const optional = await readOne({ requestBody: { content: { 'no type': {} } } });
    assert.deepEqual(
      [optional.body, reasons(optional)],
      [null, ['Its body has no media type that can be sent; it is left out.']],
    );
    const paths = { '/a': { get: {}, post: { requestBody: { required: true, content: {} } } } };
    const { unmapped } = await read({ openapi: '3.1.0', paths });
    assert.deepEqual(unmapped, [
      { operation: 'POST /a', reason: 'Its body has no media type that can be sent.', isServed: false },
    ]);
  });

  test('of a multipart form names its files, wherever its properties come from', async () => {
    const media = {
      schema: {
        allOf: [
          { $ref: '#/components/schemas/Base' },
          { properties: { files: { type: 'array', items: { format: 'binary', type: 'string' } } } },
        ],
      },
      encoding: { icon: { contentType: 'image/png, image/jpeg' }, tags: { style: 'pipeDelimited', explode: false } },
    };
    const Base = {
      type: 'object',
      required: ['title', 'file'],
      properties: {
        title: { type: 'string' },
        tags: { type: 'array', items: { type: 'string' } },
        file: { $ref: '#/components/schemas/File' },
        icon: { type: 'string' },
        raw: { type: 'string', contentMediaType: 'application/octet-stream' },
        json: { type: 'string', contentMediaType: 'application/json' },
      },
    };
    const schemas = { Base, File: { type: 'string', format: 'binary' } };
    const { body, request } = await readOne(
      { requestBody: { content: { 'multipart/form-data': media } } },
      { components: { schemas } },
    );
    assert.deepEqual(body?.files, ['file', 'icon', 'raw', 'files']);
    assert.deepEqual(body?.encoding, {
      icon: { contentType: 'image/png' },
      tags: { style: 'pipeDelimited', explode: false },
    });
    const form = request.properties?.['body'];
    assert.deepEqual(form?.required, ['title', 'file']);
    assert.deepEqual(form?.properties?.['json'], { type: 'string', contentMediaType: 'application/json' });
    const bytes = form?.properties?.['file'] as unknown as { anyOf: { required: string[] }[] };
    assert.deepEqual(
      bytes.anyOf.map(({ required }) => required),
      [['channel_id', 'access_key', 'direction'], ['base64']],
    );
    assert.deepEqual(form?.properties?.['files'], { type: 'array', items: bytes });
  });

  test('of a form may have alternatives: all their properties, none of them required', async () => {
    const schema = {
      properties: { a: {} },
      required: ['a'],
      oneOf: [{ properties: { b: {} }, required: ['b'] }, { properties: { c: {} } }],
    };
    const content = { 'application/x-www-form-urlencoded': { schema } };
    const { request } = await readOne({ requestBody: { content } });
    assert.deepEqual(request.properties?.['body'], {
      type: 'object',
      properties: { a: {}, b: {}, c: {} },
      required: ['a'],
    });
  });

  test('of GET is left out and listed', async () => {
    const { operations, unmapped } = await read({
      openapi: '3.1.0',
      paths: { '/a': { get: { requestBody: json({}) } } },
    });
    assert.equal(operations['get_a']?.body, null);
    assert.deepEqual(reasons({ unmapped }), ['Its body is left out: GET has none.']);
  });

  test('in XML is given as a text, and listed', async () => {
    const one = await readOne({ requestBody: { content: { 'application/xml': { schema: { type: 'object' } } } } });
    assert.equal((one.request.properties?.['body'] as unknown as { type: string }).type, 'string');
    assert.deepEqual(reasons(one), ['Its body is given as a text: it has no media type that can be made from JSON.']);
  });
});
