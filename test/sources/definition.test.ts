// What is said of a source: what all types share is checked, and a document within it stays as it was sent.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { INLINE_PARSE_BYTES } from '../../lib/limits.ts';
import { decodeDefinition, parseDefinition } from '../../lib/sources/definition.ts';

const parse = (value: unknown) => parseDefinition(value, ['openapi', 'mcp'], false);

function issuesOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (thrown) {
    assert.ok(thrown instanceof GreenroomError, String(thrown));
    return [thrown.code, ...((thrown.details?.['issues'] ?? []) as { path: string; message: string }[])];
  }
}

describe('a definition', () => {
  test('is what all types share, and settings', () => {
    assert.deepEqual(parse({ name: 'a', type: 'mcp', include: ['*'], exclude: ['b*'], url: 'x', args: [1] }), {
      name: 'a',
      type: 'mcp',
      include: ['*'],
      exclude: ['b*'],
      isFromOperator: false,
      settings: { url: 'x', args: [1] },
    });
  });

  const NAME = 'expected 1 to 128 of A-Z a-z 0-9 . _ : - without ::';
  const cases: [value: unknown, path: string, message: string][] = [
    [null, '', 'expected an object'],
    [[], '', 'expected an object'],
    [{ type: 'mcp' }, 'name', 'required'],
    [{ name: 1, type: 'mcp' }, 'name', 'expected string'],
    [{ name: '', type: 'mcp' }, 'name', NAME],
    [{ name: 'a b', type: 'mcp' }, 'name', NAME],
    [{ name: 'a::b', type: 'mcp' }, 'name', NAME],
    [{ name: 'x'.repeat(129), type: 'mcp' }, 'name', NAME],
    [{ name: 'a' }, 'type', 'required'],
    [{ name: 'a', type: 'soap' }, 'type', 'expected ("openapi" | "mcp")'],
    [{ name: 'a', type: 'mcp', include: 'x' }, 'include', 'expected Array'],
    [{ name: 'a', type: 'mcp', include: [] }, 'include', 'expected >=1'],
    [{ name: 'a', type: 'mcp', exclude: ['a', ''] }, 'exclude.1', 'expected >=1'],
    [{ name: 'a', type: 'mcp', exclude: ['x'.repeat(257)] }, 'exclude.0', 'expected <=256'],
    [{ name: 'a', type: 'mcp', exclude: Array(257).fill('x') }, 'exclude', 'expected <=256'],
  ];
  for (const [value, path, message] of cases) {
    test(`is refused by its key: ${JSON.stringify(value).slice(0, 60)}`, () =>
      assert.deepEqual(
        issuesOf(() => parse(value)),
        ['invalid_request', { path, message }],
      ));
  }
});

describe('an encoded definition', () => {
  const large = JSON.stringify({ paths: { '/ü': 'x'.repeat(INLINE_PARSE_BYTES), '}': '\\"{' } });

  test('that is short is parsed', () => {
    const value = { name: 'a', document: { openapi: '3.1.0' } };
    assert.deepEqual(decodeDefinition(Buffer.from(JSON.stringify(value))), value);
  });

  test('that is long keeps its document as it was sent, wherever it stands', () => {
    for (const [before, after] of [
      ['{"name":"a", "document": ', ',"type":"openapi"}'],
      ['{"document":', ' , "name":"a","type":"openapi" }'],
      ['{"name":"a","type":"openapi","document":', '}'],
    ] as const) {
      const decoded = decodeDefinition(Buffer.from(before + large + after));
      assert.deepEqual(decoded, { name: 'a', type: 'openapi', document: large });
    }
  });

  test('that is long, with a document that is text or none at all, is parsed', () => {
    for (const value of [
      { name: 'a', document: 'openapi: 3.1.0\n'.repeat(10_000) },
      { name: 'a', more: large },
    ])
      assert.deepEqual(decodeDefinition(Buffer.from(JSON.stringify(value))), value);
  });

  test('is refused when it is no JSON, poisonous, or has two documents', () => {
    const codeFor = (text: string) => issuesOf(() => decodeDefinition(Buffer.from(text)));
    assert.deepEqual(codeFor('{'), ['invalid_json']);
    assert.deepEqual(codeFor(`{"document":${large}`), ['invalid_json']);
    assert.deepEqual(codeFor(`{"document":${large},"__proto__":{}}`), ['invalid_json']);
    assert.deepEqual(codeFor(`{"document":${large},}`), ['invalid_json']);
    assert.deepEqual(codeFor(`{"document":${large},"document":1}`), [
      'invalid_request',
      { path: 'document', message: 'given more than once' },
    ]);
  });
});
