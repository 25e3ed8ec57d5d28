// Where operations are called, and with which credentials.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { read, readOne, reasons } from './read.ts';
import type { ReadOptions } from './read.ts';

describe('the server', () => {
  const server = async (servers: readonly object[] | null, options: ReadOptions = {}, own: object = {}) => {
    const { operations, unmapped } = await read(
      {
        openapi: '3.1.0',
        ...(servers && { servers }),
        paths: { '/a': { get: own }, '/kept': { servers: [{ url: 'https://kept.test' }], get: {} } },
      },
      options,
    );
    return operations['get_a']?.baseUrl ?? unmapped[0]?.reason;
  };

  test('is that of the operation, else of its path, else of the document, else where the document came from', async () => {
    const documentUrl = 'https://docs.test/api/v1/openapi.json';
    assert.equal(
      await server([{ url: 'https://a.test/v1/' }], {}, { servers: [{ url: 'http://own.test' }] }),
      'http://own.test',
    );
    assert.equal(await server([{ url: 'https://a.test/v1/' }]), 'https://a.test/v1');
    assert.equal(await server([{ url: '../v2' }], { documentUrl }), 'https://docs.test/api/v2');
    assert.equal(await server(null, { documentUrl }), 'https://docs.test');
    assert.equal(
      await server([{ url: '/x' }], { documentUrl: null }),
      'Its server is relative to an unknown address; `base_url` can name one.',
    );
  });

  test('is the one of the settings for all operations', async () => {
    const { operations } = await read(
      { openapi: '3.1.0', paths: { '/a': { get: { servers: [{ url: 'https://own.test' }] } } } },
      { baseUrl: 'http://127.0.0.1:8080/base/' },
    );
    assert.equal(operations['get_a']?.baseUrl, 'http://127.0.0.1:8080/base');
  });

  test('has its variables filled in, with values that the document allows', async () => {
    const servers = [
      {
        url: 'https://{region}.test/{base}',
        variables: { region: { default: 'eu', enum: ['eu', 'us'] }, base: { default: 'v1' } },
      },
    ];
    assert.equal(await server(servers), 'https://eu.test/v1');
    assert.equal(await server(servers, { serverVariables: { region: 'us', base: 'v2' } }), 'https://us.test/v2');
    const refused = 'A variable of its server has a value that the document does not allow.';
    assert.equal(await server(servers, { serverVariables: { region: 'evil.test/' } }), refused);
    const missing = 'A variable of its server has no value; `server_variables` can give one.';
    assert.equal(await server([{ url: 'https://{x}.test' }]), missing);
  });

  test('is the first that can be reached over http', async () => {
    assert.equal(await server([{ url: 'wss://a.test' }, { url: 'https://b.test' }]), 'https://b.test');
    assert.equal(await server([{ url: 'ftp://a.test' }]), 'Its server is not reached over http or https.');
    assert.equal(await server([{ url: 'https://u:p@a.test' }]), 'The URL of its server has credentials in it.');
    assert.equal(await server([{ url: 'https://a.test/?x=1' }]), 'The URL of its server has a query or a fragment.');
    assert.equal(await server([{ url: 'https://[' }]), 'Its server has no valid URL.');
  });
});

describe('security', () => {
  const securitySchemes = {
    key: { type: 'apiKey', in: 'header', name: 'X-Key' },
    basic: { type: 'http', scheme: 'Basic' },
    oauth: { type: 'oauth2', flows: {} },
    oidc: { $ref: '#/components/securitySchemes/oauth' },
    mtls: { type: 'mutualTLS' },
    digest: { type: 'http', scheme: 'digest' },
  };
  const document = { components: { securitySchemes }, security: [{ key: [] }] };

  test('is described by scheme, as far as credentials can be given', async () => {
    const reading = await read({ openapi: '3.1.0', paths: { '/a': { get: {} } }, ...document });
    assert.deepEqual(reading.securitySchemes, {
      key: { type: 'apiKey', in: 'header', name: 'X-Key' },
      basic: { type: 'basic' },
      oauth: { type: 'bearer' },
      oidc: { type: 'bearer' },
    });
  });

  test('is that of the operation, else of the document, without alternatives that cannot be met', async () => {
    const of = async (security?: object) => {
      const one = await readOne({ ...(security && { security }) }, document);
      return [one.security, reasons(one).length];
    };
    assert.deepEqual(await of(), [[['key']], 0]);
    assert.deepEqual(await of([]), [[], 0]);
    assert.deepEqual(await of([{ mtls: [] }, { key: [], basic: [] }, {}]), [[['key', 'basic'], []], 0]);
    assert.deepEqual(await of([{ digest: [] }, { unknown: [] }]), [[], 1]);
  });
});
