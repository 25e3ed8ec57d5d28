// Parameters on the wire, byte by byte; and that no value leads elsewhere than the path says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Parameter } from '../../lib/openapi/operation.ts';
import { writeParameters } from '../../lib/openapi/parameters.ts';
import { issuesOf, operationOf, parameter, record, startCalls } from './calls.ts';

const first = (head: string | undefined): string => head?.split('\r\n')[0] ?? '';
const header = (head: string | undefined, name: string): string | undefined =>
  head
    ?.split('\r\n')
    .find((line) => line.toLowerCase().startsWith(`${name}: `))
    ?.slice(name.length + 2);

test('each style arrives byte by byte as it was written', async (t) => {
  const server = await record(t);
  const { call } = startCalls(t);
  const value = { a: 'x y', b: "/é'" };
  const list = ['1', '2|3'];
  const rows: readonly (readonly [Partial<Parameter>, unknown, string])[] = [
    [{ in: 'path', style: 'simple' }, value, '/at/a,x%20y,b,%2F%C3%A9%27/end'],
    [{ in: 'path', style: 'simple', explode: true }, value, '/at/a=x%20y,b=%2F%C3%A9%27/end'],
    [{ in: 'path', style: 'label', explode: true }, list, '/at/.1.2%7C3/end'],
    [{ in: 'path', style: 'matrix', explode: true }, list, '/at/;p=1;p=2%7C3/end'],
    [{ in: 'path', style: 'matrix', explode: false }, '', '/at/;p/end'],
    [
      { in: 'path', contentType: 'application/json' },
      value,
      '/at/%7B%22a%22%3A%22x%20y%22%2C%22b%22%3A%22%2F%C3%A9%27%22%7D/end',
    ],
    [{ in: 'query', explode: false }, list, '/at?p=1,2%7C3'],
    [{ in: 'query', explode: true }, list, '/at?p=1&p=2%7C3'],
    [{ in: 'query', style: 'spaceDelimited', explode: false }, list, '/at?p=1%202%7C3'],
    [{ in: 'query', style: 'pipeDelimited', explode: false }, list, '/at?p=1%7C2%7C3'],
    [{ in: 'query', style: 'deepObject', explode: true }, value, '/at?p%5Ba%5D=x%20y&p%5Bb%5D=%2F%C3%A9%27'],
    [{ in: 'query', allowReserved: true }, 'a/b?c#d&e', '/at?p=a/b?c%23d&e'],
    [{ in: 'query', contentType: 'application/json' }, ['1'], '/at?p=%5B%221%22%5D'],
    [{ in: 'query', contentType: 'text/plain' }, 'a b', '/at?p=a%20b'],
    [{ in: 'query' }, null, '/at'],
  ];
  for (const [given, sent, expected] of rows) {
    const place = given.in ?? 'query';
    const path = place === 'path' ? '/at/{p}/end' : '/at';
    const parameters = [parameter({ name: 'p', in: place, ...given })];
    await call(operationOf({ baseUrl: server.url, path, parameters }), { [place]: { p: sent } });
    assert.equal(first(server.heads.at(-1)), `GET ${expected} HTTP/1.1`);
  }
});

test('headers and cookies arrive byte by byte as they were written', async (t) => {
  const server = await record(t);
  const { call } = startCalls(t);
  const parameters = [
    parameter({ name: 'X-List', in: 'header' }),
    parameter({ name: 'X-Flat', in: 'header' }),
    parameter({ name: 'X-Object', in: 'header', explode: true }),
    parameter({ name: 'X-Json', in: 'header', contentType: 'application/json' }),
    parameter({ name: 'If-Match', in: 'header' }),
    parameter({ name: 'one', in: 'cookie', explode: false }),
    parameter({ name: 'two', in: 'cookie', explode: true }),
  ];
  await call(operationOf({ baseUrl: server.url, parameters }), {
    header: {
      'X-List': ['a', 'b c', 3],
      'X-Flat': { a: 1, b: true },
      'X-Object': { a: 1, b: true },
      'X-Json': { a: 'é😀' },
      'If-Match': '"abc/1"',
    },
    cookie: { one: ['a;b', 'c'], two: ['x', 'y=z'] },
  });
  const [head] = server.heads;
  assert.deepEqual(
    ['x-list', 'x-flat', 'x-object', 'x-json', 'if-match', 'cookie'].map((name) => header(head, name)),
    [
      'a,b c,3',
      'a,1,b,true',
      'a=1,b=true',
      String.raw`{"a":"\u00e9\ud83d\ude00"}`,
      '"abc/1"',
      'one=a%3Bb,c; two=x; two=y%3Dz',
    ],
  );
});

test('a value of a path cannot change the shape of the path', async (t) => {
  const server = await record(t);
  const { call } = startCalls(t);
  const named = (path: string, style: Parameter['style'] = 'simple') =>
    operationOf({ baseUrl: `${server.url}/v1`, path, parameters: [parameter({ name: 'id', in: 'path', style })] });
  const refused: readonly (readonly [unknown, string, Parameter['style']?])[] = [
    ['', '/a/{id}/b'],
    ['.', '/a/{id}/b'],
    ['..', '/a/{id}/b'],
    ['.', '/a/.{id}'],
    ['', '/a/{id}', 'label'],
    ['.', '/a/{id}', 'label'],
    [null, '/a/{id}'],
    [[], '/a/{id}'],
  ];
  for (const [value, path, style] of refused) {
    const issues = (await issuesOf(call(named(path, style), { path: { id: value } }))) as string[];
    assert.match(issues[0] ?? '', /^path\.id: may not be empty/, JSON.stringify([value, path]));
  }
  assert.equal(server.connections(), 0);
  const harmless = ['../x', '..\\x', '%2e%2e', 'a/../../b', '?q=1', '#f', '...', ' ', '\r\nX: y', '@evil', '//evil'];
  for (const value of harmless) {
    await call(named('/a/{id}/b'), { path: { id: value } });
    const [, target = ''] = first(server.heads.at(-1)).split(' ');
    const parts = target.split('/');
    assert.deepEqual([parts.length, parts[2], parts[4]], [5, 'a', 'b'], target);
    assert.equal(decodeURIComponent(parts[3] ?? ''), value);
  }
});

test('whatever a value is, it stays in its segment or is refused', () => {
  const operation = operationOf({ path: '/a/{id}/b', parameters: [parameter({ name: 'id', in: 'path' })] });
  const tricky = fc.constantFrom('.', '..', '/', '\\\\', '%2e', '%2F', '?', '#', ' ', '\t', '@', ':', ';', '');
  const text = fc.array(fc.oneof(tricky, fc.string({ unit: 'grapheme', maxLength: 3 })), { maxLength: 4 });
  fc.assert(
    fc.property(text, (pieces) => {
      const value = pieces.join('');
      if (['', '.', '..'].includes(value)) {
        assert.throws(() => writeParameters(operation, { path: { id: value } }), { code: 'invalid_input' });
        return;
      }
      const { path } = writeParameters(operation, { path: { id: value } });
      const { host, pathname, search, hash } = new URL(`http://h${path}`);
      assert.deepEqual([host, search, hash], ['h', '', '']);
      assert.deepEqual(pathname.split('/').map(decodeURIComponent), ['', 'a', value, 'b']);
    }),
  );
});

test('what would end a header is refused before anything is sent', async (t) => {
  const server = await record(t);
  const { call } = startCalls(t);
  const sent = (name: string, value: unknown) =>
    issuesOf(
      call(operationOf({ baseUrl: server.url, parameters: [parameter({ name, in: 'header' })] }), {
        header: { [name]: value },
      }),
    );
  assert.deepEqual(await sent('X-A', 'a\r\nX-B: c'), ['header.X-A: expected one line of text in Latin-1']);
  assert.deepEqual(await sent('X-A', ['a', '\u0000']), ['header.X-A: expected one line of text in Latin-1']);
  assert.deepEqual(await sent('X-A', '😀'), ['header.X-A: expected one line of text in Latin-1']);
  assert.equal(server.connections(), 0);
});

test('a parameter that the document does not have is refused, and so is one that is missing', async (t) => {
  const { call } = startCalls(t);
  const operation = operationOf({ parameters: [parameter({ name: 'a', in: 'query', required: true })] });
  assert.deepEqual(await issuesOf(call(operation, { query: { b: 1 } })), ['query.b: unknown key']);
  assert.deepEqual(await issuesOf(call(operation, { query: [] })), ['query: expected an object']);
  assert.deepEqual(await issuesOf(call(operation, {})), ['query.a: required']);
  assert.deepEqual(await issuesOf(call(operation, { query: { a: 1 }, header: { 'x-iii-a': 1 } })), [
    'header.x-iii-a: unknown key',
  ]);
});
