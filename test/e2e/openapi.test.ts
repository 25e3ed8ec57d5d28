// An OpenAPI document in a runtime: the source, its functions in the listings, a call with a file from a channel, and nothing private.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { Response } from 'undici';
import { startRuntime } from '../support/start-runtime.ts';

test('an operation of a document is called like any function, with a file from a channel', async (t) => {
  const api = createServer((request, response) => {
    void buffer(request).then(async (body) => {
      const { authorization = '', 'content-type': type = '' } = request.headers;
      const form = await new Response(body, { headers: { 'content-type': type } }).formData();
      const file = form.get('file') as File;
      const seen = { url: request.url, authorization, note: form.get('note'), name: file.name, bytes: file.size };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(seen));
    });
  }).listen(0, '127.0.0.1');
  await once(api, 'listening');
  t.after(() => api.close());
  const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  const properties = { note: { type: 'string' }, file: { type: 'string', format: 'binary' } };
  const upload = {
    operationId: 'upload',
    security: [{ token: [] }],
    parameters: [{ name: 'folder', in: 'path', required: true, schema: { type: 'string' } }],
    requestBody: { content: { 'multipart/form-data': { schema: { type: 'object', properties } } } },
    responses: {},
  };
  const document = {
    openapi: '3.0.3',
    info: { title: 'Files', version: '1' },
    servers: [{ url }],
    components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    paths: { '/folders/{folder}': { post: upload } },
  };
  const http = { allowAddresses: ['127.0.0.1'], variables: ['FILES_*'], environment: { FILES_TOKEN: 's3cret' } };
  const runtime = await startRuntime(t, { http });
  await runtime.createSource({
    name: 'files',
    type: 'openapi',
    document,
    auth: { token: { variable: 'FILES_TOKEN' } },
  });

  const channel = runtime.channel();
  const call = runtime.invoke('files::upload', {
    path: { folder: 'a/b' },
    body: { note: 'n', file: { ...channel.reader, filename: 'x.bin' } },
  });
  channel.writable().end(Buffer.alloc(3_000_000));
  assert.deepEqual(await call, {
    url: '/folders/a%2Fb',
    authorization: 'Bearer s3cret',
    note: 'n',
    name: 'x.bin',
    bytes: 3_000_000,
  });
  await assert.rejects(runtime.invoke('files::upload', { path: {} }), { code: 'invalid_input' });
  const shown = JSON.stringify([runtime.listFunctions(), runtime.function('files::upload'), runtime.peer('files')]);
  assert.match(shown, /files::upload/);
  assert.doesNotMatch(shown, /s3cret|FILES_TOKEN|127\.0\.0\.1/);
  await runtime.deleteSource('files');
  await assert.rejects(runtime.invoke('files::upload', {}), { code: 'function_not_found' });
});
