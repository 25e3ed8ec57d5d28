// Texts that are no documents, or that were written to hurt whoever reads them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_ALIASES, MAX_DEPTH, MAX_VALIDATED_CHARS } from '../../lib/openapi/bounds.ts';
import { codeOf } from '../support/start-runtime.ts';
import { json, read, readOne, readText } from './read.ts';

const messageOf = (text: string, options = {}) =>
  readText(text, options).then(
    () => 'read',
    (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
  );

describe('a text', () => {
  test('in YAML becomes the same operations as in JSON, with merged keys and numbers for versions and codes', async () => {
    const yaml = `
swagger: 2.0
host: api.test
x-shared: &shared
  description: Shared.
paths:
  /pets:
    get:
      <<: *shared
      operationId: pets
      responses:
        200: { description: ok, schema: { type: array, items: { type: string } } }
`;
    const value = {
      swagger: '2.0',
      host: 'api.test',
      paths: {
        '/pets': {
          get: {
            description: 'Shared.',
            operationId: 'pets',
            responses: { 200: { schema: { type: 'array', items: { type: 'string' } } } },
          },
        },
      },
    };
    const [fromYaml, fromJson] = [await readText(yaml), await readText(JSON.stringify(value))];
    assert.deepEqual(fromYaml.operations, fromJson.operations);
    assert.equal(fromYaml.operations[0]?.description, 'Shared.');
  });

  test('may begin with a byte order mark', async () => {
    const reading = await readText(`\ufeff${JSON.stringify({ openapi: '3.0.0', paths: {}, info })}`);
    assert.deepEqual(reading.operations, []);
  });

  test('that is neither JSON nor YAML is refused with the place, and never quoted', async () => {
    assert.match(
      await messageOf('{"secret-token": }'),
      /^invalid_source: The document is not valid JSON( at position \d+)?\.$/,
    );
    assert.match(await messageOf('a: [secret-token'), /^invalid_source: .*YAML: [A-Z_]+ at line 1, column \d+\.$/);
    assert.match(await messageOf('root:x:0:0:secret-token'), /^invalid_source: This is no OpenAPI document/);
  });

  test('of another version is refused by name', async () => {
    for (const version of ['1.2', '3.2.0', '4.0.0', null]) {
      assert.match(
        await messageOf(JSON.stringify({ openapi: version, paths: {} })),
        /^invalid_source: .*not supported/,
      );
    }
  });

  test('without operations is refused with the issues of the validator when it is not valid', async () => {
    await assert.rejects(readText('{"openapi":"3.0.0","paths":{}}'), (error: { details: { issues: unknown[] } }) => {
      assert.deepEqual(error.details.issues, [{ path: '', message: "REQUIRED must have required property 'info'" }]);
      return true;
    });
    assert.deepEqual((await read({ openapi: '3.0.0', info, paths: {} })).operations, {});
    const breaking = { openapi: '3.0.0', info, paths: null, components: { securitySchemes: { broken: null } } };
    assert.equal(await messageOf(JSON.stringify(breaking)), 'invalid_source: The document is not valid.');
  });

  test('of which nothing can be served is refused with the reasons', async () => {
    const document = { openapi: '3.1.0', info, paths: { '/a': { get: 7, trace: {} } } };
    await assert.rejects(read(document), (error: { code: string; details: { issues: unknown[] } }) => {
      assert.equal(error.code, 'invalid_source');
      assert.deepEqual(error.details.issues, [
        { path: 'GET /a', message: 'It is not an object.' },
        { path: 'TRACE /a', message: 'TRACE is not sent.' },
      ]);
      return true;
    });
  });
});

describe('a hostile text', () => {
  test('with a billion laughs ends at the bound of aliases or of values', async () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const items =
        level === 0
          ? '"lol"'
          : Array(10)
              .fill(`*l${level - 1}`)
              .join(',');
      return `l${level}: &l${level} [${items}]`;
    });
    assert.equal(await codeOf(readText(`openapi: 3.1.0\n${levels.join('\n')}`)), 'invalid_source');
  });

  test('may use an anchor as often as the bound says, itself included, and no more', async () => {
    const yaml = (uses: number) =>
      `openapi: 3.0.0\ninfo: {title: t, version: v}\npaths: {}\nx-a: &a 1\nx-b: [${Array(uses).fill('*a').join(',')}]`;
    assert.deepEqual((await readText(yaml(MAX_ALIASES - 1))).operations, []);
    assert.equal(await codeOf(readText(yaml(MAX_ALIASES))), 'invalid_source');
  });

  test('with an anchor that contains itself is refused', async () => {
    assert.equal(await codeOf(readText('openapi: 3.1.0\npaths: &p\n  /a: *p')), 'invalid_source');
  });

  test('may be as deep as the bound says, and no deeper', async () => {
    // The document itself and the list are levels too.
    const nested = (levels: number) =>
      `{"openapi":"3.0.0","info":{"title":"t","version":"v"},"paths":{},"x-deep":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    assert.deepEqual((await readText(nested(MAX_DEPTH))).operations, []);
    assert.match(await messageOf(nested(MAX_DEPTH + 1)), /deeper than/);
    assert.match(await messageOf(nested(1_000_000)), /deeper than/);
    assert.equal(await codeOf(readText(`openapi: 3.1.0\nx: ${'['.repeat(100_000)}`)), 'invalid_source');
  });

  test('with more values than the bound is refused', async () => {
    assert.match(await messageOf(`{"openapi":"3.1.0","x":[${'0,'.repeat(4_000_001)}0]}`), /more than 4000000 values/);
  });

  test('with 100,000 paths is refused by the number of operations, and one with as many as allowed is read', async () => {
    const paths = (count: number) => {
      return Object.fromEntries(Array.from({ length: count }, (_, index) => [`/p${index}`, { get: {} }]));
    };
    assert.match(
      await messageOf(JSON.stringify({ openapi: '3.1.0', paths: paths(100_000) })),
      /more than 4096 operations/,
    );
    const { operations } = await read({ openapi: '3.1.0', paths: paths(3) }, { maxOperations: 3 });
    assert.deepEqual(Object.keys(operations), ['get_p0', 'get_p1', 'get_p2']);
    assert.equal(await codeOf(read({ openapi: '3.1.0', paths: paths(4) }, { maxOperations: 3 })), 'invalid_source');
  });

  test('without operations is not searched for what is wrong when it is large', async () => {
    const text = `{"openapi":"3.1.0","x":"${'x'.repeat(MAX_VALIDATED_CHARS)}"}`;
    assert.equal(await messageOf(text), 'invalid_source: The document has no operations.');
  });

  test('whose form is put together from itself a thousand times is read up to the bound', async () => {
    const Form = { properties: { a: {} }, allOf: Array(1_000).fill({ $ref: '#/components/schemas/Form' }) };
    const content = { 'multipart/form-data': { schema: { $ref: '#/components/schemas/Form' } } };
    const { request, unmapped } = await readOne({ requestBody: { content } }, { components: { schemas: { Form } } });
    assert.deepEqual(request.properties?.['body'], { type: 'object', properties: { a: {} } });
    const reason = 'Its form is put together from too many schemas; some are left out.';
    assert.deepEqual(unmapped, [{ operation: 'POST /things', reason, isServed: true }]);
  });

  test('with more bytes than allowed is refused before it is read', async () => {
    const text = JSON.stringify({ openapi: '3.0.0', info: { title: 'é', version: 'v' }, paths: {} });
    const bytes = Buffer.byteLength(text);
    assert.equal((await readText(text, { maxBytes: bytes })).title, 'é');
    assert.match(await messageOf(text, { maxBytes: bytes - 1 }), /^invalid_source: .*more than/);
  });

  test('with keys of prototypes changes nothing but what it describes', async () => {
    const body = '{"type":"object","properties":{"__proto__":{"type":"string"},"constructor":{"type":"integer"}}}';
    const text = `{"openapi":"3.1.0","__proto__":{"paths":{"/x":{"get":{}}}},"components":{"schemas":{"__proto__":{}}},
      "paths":{"/a":{"post":{"requestBody":{"content":{"application/json":{"schema":${body}}}},
      "parameters":[{"name":"__proto__","in":"query"},{"name":"constructor","in":"query"},{"$ref":"#/constructor"}]}},"/b":{"post":{}}}}`;
    const { operations, unmapped } = await readText(text);
    assert.deepEqual(
      operations.map(({ name }) => name),
      ['post_b'],
    );
    assert.deepEqual(unmapped, [{ operation: 'POST /a', reason: 'A reference leads nowhere.', isServed: false }]);
    const { request } = await readOne({ requestBody: json({ properties: { constructor: { type: 'integer' } } }) });
    assert.deepEqual(request.properties?.['body'], { properties: { constructor: { type: 'integer' } } });
  });
});

const info = { title: 't', version: 'v' };
