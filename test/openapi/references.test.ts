// References within a document, to others, and to where they must not go.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { MAX_REFERENCED_DOCUMENTS } from '../../lib/openapi/bounds.ts';
import { codeOf } from '../support/start-runtime.ts';
import { json, read, readOne } from './read.ts';

const reasons = (unmapped: readonly { reason: string }[]) => unmapped.map(({ reason }) => reason);

describe('a reference', () => {
  test('to a path, a parameter, a body, a response is followed, through other references too', async () => {
    const document = {
      openapi: '3.1.0',
      paths: { '/a': { $ref: '#/components/pathItems/A' } },
      components: {
        pathItems: {
          A: {
            parameters: [{ $ref: '#/components/parameters/Q' }],
            put: {
              requestBody: { $ref: '#/components/requestBodies/B' },
              responses: { 200: { $ref: '#/components/responses/R' } },
            },
          },
        },
        parameters: { Q: { $ref: '#/components/parameters/Q2' }, Q2: { name: 'q', in: 'query' } },
        requestBodies: { B: json({ $ref: '#/components/parameters/Q2' }), C: {} },
        responses: { R: json({ type: 'integer' }) },
      },
    };
    const { operations, unmapped } = await read(document);
    const { parameters, body, response } = operations['put_a'] ?? {};
    assert.deepEqual([parameters?.[0]?.name, body?.kind, response], ['q', 'json', { type: 'integer' }]);
    assert.deepEqual(unmapped, []);
  });

  test('that goes round in circles costs the operations that need it', async () => {
    const document = {
      openapi: '3.1.0',
      paths: {
        '/a': { $ref: '#/paths/~1b' },
        '/b': { $ref: '#/paths/~1a' },
        '/c': { get: { parameters: [{ $ref: '#/components/parameters/X' }] } },
        '/d': { post: { requestBody: { $ref: '#/components/requestBodies/Y/content' } } },
        '/e': { get: {} },
      },
      components: {
        parameters: { X: { $ref: '#/components/parameters/X' } },
        requestBodies: { Y: { $ref: '#/components/requestBodies/Y' } },
      },
    };
    const { operations, unmapped } = await read(document);
    assert.deepEqual(Object.keys(operations), ['get_e']);
    assert.deepEqual(
      unmapped.map(({ operation, isServed }) => [operation, isServed]),
      [
        ['/a', false],
        ['/b', false],
        ['GET /c', false],
        ['POST /d', false],
      ],
    );
  });

  test('whose pointer goes through a reference finds what is behind it', async () => {
    const rest = {
      components: { schemas: { A: { $ref: '#/components/schemas/B' }, B: { properties: { c: { type: 'boolean' } } } } },
    };
    const { request } = await readOne({ requestBody: json({ $ref: '#/components/schemas/A/properties/c' }) }, rest);
    assert.deepEqual(Object.values(request.$defs ?? {}), [{ type: 'boolean' }]);
  });

  test('to a file is never followed', async () => {
    for (const address of [
      '/etc/passwd',
      'file:///etc/passwd',
      './other.yaml',
      '\\\\host\\share',
      'C:\\x',
      'data:text/plain,x',
    ]) {
      const asked: string[] = [];
      const fetchDocument = async (url: string) => String(asked.push(url));
      const options = { documentUrl: null, baseUrl: 'https://api.test', fetchDocument };
      const { unmapped } = await readOne({ requestBody: json({ $ref: address }) }, {}, options);
      assert.deepEqual(asked, [], address);
      assert.deepEqual(reasons(unmapped), [
        'A part of a schema is left open. It refers to a file, which is never read.',
      ]);
    }
  });

  test('to a file is not followed from an address either', async () => {
    const { unmapped } = await readOne({ requestBody: json({ $ref: 'file:///etc/passwd#/a' }) });
    assert.deepEqual(reasons(unmapped), ['A part of a schema is left open. It refers to a file, which is never read.']);
  });

  test('to another document starts at the address of its own', async () => {
    const served = {
      'https://api.test/schemas/pet.json': {
        type: 'object',
        properties: { owner: { $ref: 'people/owner.json#/definitions/Owner' }, self: { $ref: '#' } },
      },
      'https://api.test/schemas/people/owner.json': {
        definitions: {
          Owner: {
            properties: { pet: { $ref: '../pet.json' }, root: { $ref: '../../openapi.json#/components/schemas/Root' } },
          },
        },
      },
    };
    const { request, unmapped } = await readOne(
      { requestBody: json({ $ref: './schemas/pet.json' }) },
      { components: { schemas: { Root: { type: 'null' } } } },
      { served },
    );
    assert.deepEqual(unmapped, []);
    const names = Object.keys(request.$defs ?? {});
    assert.match(names.join(' '), /^document_\w{8} Owner_\w{8} Root$/);
    const [pet, owner] = names.map((name) => ({ $ref: `#/$defs/${name}` }));
    assert.deepEqual(request.properties?.['body'], pet);
    assert.deepEqual(Object.values(request.$defs ?? {}), [
      { type: 'object', properties: { owner, self: pet } },
      { properties: { pet, root: { $ref: '#/$defs/Root' } } },
      { type: 'null' },
    ]);
  });

  test('in an example is no reference', async () => {
    const asked: string[] = [];
    const fetchDocument = async (url: string) => String(asked.push(url));
    const ref = { $ref: 'https://other.test/x' };
    await readOne(
      { requestBody: json({ example: { deep: [ref] }, default: ref, properties: { example: { enum: [ref] } } }) },
      {},
      { fetchDocument },
    );
    assert.deepEqual(asked, []);
  });
});

describe('a document that is referred to', () => {
  test('and that the guard refuses costs what needs it, and tells nothing but the code', async () => {
    const asked: string[] = [];
    const fetchDocument = async (url: string): Promise<string> => {
      asked.push(url);
      throw GreenroomError.of('url_validation_failed', { message: 'It is 169.254.169.254.' });
    };
    const document = {
      openapi: '3.1.0',
      paths: {
        '/a': { $ref: 'http://169.254.169.254/latest/meta-data/#/x' },
        '/b': { get: { responses: { 200: json({ $ref: 'http://metadata.test/y' }) } } },
      },
    };
    const { operations, unmapped } = await read(document, { fetchDocument });
    assert.deepEqual(asked.sort(), ['http://169.254.169.254/latest/meta-data/', 'http://metadata.test/y']);
    assert.deepEqual(Object.keys(operations), ['get_b']);
    const reason = 'It refers to a document that cannot be read: url_validation_failed.';
    assert.deepEqual(unmapped, [
      { operation: '/a', reason, isServed: false },
      { operation: 'GET /b', reason: `A part of a schema is left open. ${reason}`, isServed: true },
    ]);
  });

  test('and that may be there later fails the reading with what is wrong', async () => {
    const fetchDocument = async () => {
      throw GreenroomError.of('http_request_failed');
    };
    const operation = { requestBody: json({ $ref: 'other.json' }) };
    assert.equal(await codeOf(readOne(operation, {}, { fetchDocument })), 'http_request_failed');
  });

  test('is asked for once, with the bytes that are left', async () => {
    const asked: [string, number][] = [];
    const fetchDocument = async (url: string, maxBytes: number) => {
      asked.push([url, maxBytes]);
      return '{"a":{"type":"string"},"b":{}}';
    };
    const document = {
      openapi: '3.1.0',
      paths: {
        '/a': { post: { requestBody: json({ properties: { a: { $ref: 'x.json#/a' }, b: { $ref: './x.json#/b' } } }) } },
      },
    };
    const bytes = JSON.stringify(document).length;
    await read(document, { fetchDocument, maxBytes: 1_000 });
    assert.deepEqual(asked, [['https://api.test/x.json', 1_000 - bytes]]);
    assert.equal(await codeOf(read(document, { fetchDocument, maxBytes: bytes + 29 })), 'invalid_source');
  });

  test('is one of a bounded number, however they refer to each other', async () => {
    const asked: string[] = [];
    const fetchDocument = async (url: string) => {
      asked.push(url);
      return JSON.stringify({ properties: { next: { $ref: `${asked.length}.json` } } });
    };
    const operation = { requestBody: json({ $ref: '0.json' }) };
    assert.equal(await codeOf(readOne(operation, {}, { fetchDocument })), 'invalid_source');
    assert.equal(asked.length, MAX_REFERENCED_DOCUMENTS);
  });

  test('with credentials in its address is not asked for', async () => {
    const asked: string[] = [];
    const fetchDocument = async (url: string) => String(asked.push(url));
    await readOne({ requestBody: json({ $ref: 'https://user:secret@other.test/x' }) }, {}, { fetchDocument });
    assert.deepEqual(asked, []);
  });
});
