import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lines } from '../../lib/observe/lines.ts';

function read(maxBytes: number, chunks: readonly string[]): unknown[] {
  const seen: unknown[] = [];
  const lines = new Lines(maxBytes, {
    line: (bytes) => seen.push(bytes.toString()),
    long: (head, tail, bytes) => seen.push([head.toString(), tail.toString(), bytes]),
  });
  for (const chunk of chunks) lines.push(Buffer.from(chunk));
  return seen;
}

test('lines are the same however they are cut into chunks', () => {
  const text = 'one\n\ntwo\n€uro\nlast';
  for (let at = 0; at <= text.length; at++) {
    assert.deepEqual(read(100, [text.slice(0, at), text.slice(at)]), ['one', 'two', '€uro'], `cut at ${at}`);
  }
  assert.deepEqual(read(100, [...text]), ['one', 'two', '€uro']);
});

test('a line at the bound is a line, and one byte more is too long', () => {
  assert.deepEqual(read(3, ['abc\nabcd\nabc\n']), ['abc', ['abcd', 'abcd', 4], 'abc']);
});

test('of a line that is too long both edges are kept, however it arrives', () => {
  const long = `${'a'.repeat(1_000)}${'b'.repeat(1_000)}`;
  const expected = [['a'.repeat(256), 'b'.repeat(256), 2_000], 'next'];
  assert.deepEqual(read(500, [`${long}\nnext\n`]), expected);
  assert.deepEqual(read(500, [...long, '\n', 'next\n']), expected);
  assert.deepEqual(read(1_500, [long.slice(0, 100), long.slice(100, 1_900), long.slice(1_900), '\nnext\n']), expected);
});
