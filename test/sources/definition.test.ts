// What is said of a source: what all types share is checked, and a document within it stays as it was sent.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { INLINE_PARSE_BYTES } from '../../lib/limits.ts';
import { decodeDefinition, parseDefinition } from '../../lib/sources/definition.ts';

const parse = (value: unknown) => parseDefinition(value, ['openapi', 'mcp'], false);

async function issuesOf(work: () => unknown): Promise<unknown> {
  try {
    return await work();
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

  const NAME = 'expected 1 to 128 of A-Z a-z 0-9 . _ : - without ::, and not . or ..';
  const cases: [value: unknown, path: string, message: string][] = [
    [null, '', 'expected an object'],
    [[], '', 'expected an object'],
    [{ type: 'mcp' }, 'name', 'required'],
    [{ name: 1, type: 'mcp' }, 'name', 'expected string'],
    [{ name: '', type: 'mcp' }, 'name', NAME],
    [{ name: 'a b', type: 'mcp' }, 'name', NAME],
    [{ name: 'a::b', type: 'mcp' }, 'name', NAME],
    [{ name: '.', type: 'mcp' }, 'name', NAME],
    [{ name: '..', type: 'mcp' }, 'name', NAME],
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
    test(`is refused by its key: ${JSON.stringify(value).slice(0, 60)}`, async () => {
      const issues = await issuesOf(() => parse(value));
      assert.deepEqual(issues, ['invalid_request', { path, message }]);
    });
  }
});

describe('an encoded definition', () => {
  const large = JSON.stringify({ paths: { '/ü': 'x'.repeat(INLINE_PARSE_BYTES), '}': '\\"{' } });

  test('that is short is parsed', async () => {
    const value = { name: 'a', document: { openapi: '3.1.0' } };
    assert.deepEqual(await decodeDefinition(Buffer.from(JSON.stringify(value))), value);
  });

  test('that is long keeps its document as it was sent, wherever it stands', async () => {
    for (const [before, after] of [
      ['{"name":"a", "document": ', ',"type":"openapi"}'],
      ['{"document":', ' , "name":"a","type":"openapi" }'],
      ['{"name":"a","type":"openapi","document":', '}'],
    ] as const) {
      const decoded = await decodeDefinition(Buffer.from(before + large + after));
      assert.deepEqual(decoded, { name: 'a', type: 'openapi', document: large });
    }
  });

  test('that is long, with a document that is text or none at all, has the text', async () => {
    for (const value of [
      { name: 'a', document: 'openapi: "3.1.0" # ü\n'.repeat(10_000) },
      { name: 'a', more: large },
    ])
      assert.deepEqual(await decodeDefinition(Buffer.from(JSON.stringify(value))), value);
  });

  test('that is long gives the loop its turns', async () => {
    const bytes = Buffer.from(`{"document":{"x":"${'x'.repeat(4 * 1_024 * 1_024)}"}}`);
    let turns = 0;
    const decoding = decodeDefinition(bytes);
    const count = (): void => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    await decoding;
    clearImmediate(next);
    assert.ok(turns >= 8, `${turns} turns`);
  });

  test('is refused when it is no JSON, poisonous, or has two documents', async () => {
    const codeFor = (text: string) => issuesOf(() => decodeDefinition(Buffer.from(text)));
    assert.deepEqual(await codeFor('{'), ['invalid_json']);
    assert.deepEqual(await codeFor(`{"document":${large}`), ['invalid_json']);
    assert.deepEqual(await codeFor(`{"document":"${'x'.repeat(INLINE_PARSE_BYTES)}\n"}`), ['invalid_json']);
    assert.deepEqual(await codeFor(`{"document":${large},"__proto__":{}}`), ['invalid_json']);
    assert.deepEqual(await codeFor(`{"document":${large},}`), ['invalid_json']);
    assert.deepEqual(await codeFor(`{"document":${large},"document":1}`), [
      'invalid_request',
      { path: 'document', message: 'given more than once' },
    ]);
  });
});
