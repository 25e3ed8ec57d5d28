import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanText } from '../../lib/engine/labels.ts';

test('text of a peer keeps what can be shown, on one line', () => {
  assert.equal(cleanText('  Grüße, 世界 🙂 ', 100), 'Grüße, 世界 🙂');
  assert.equal(cleanText('a\r\nb\u0000c\u001b[31md\u2028e\u0085f', 100), 'abc[31mdef');
});

test('characters that turn the direction of text around are taken out', () => {
  assert.equal(cleanText('admin\u202Egnp.exe\u2066\u2069\u200F\u061C', 100), 'admingnp.exe');
});

test('text is cut at its limit, and never through a character', () => {
  assert.equal(cleanText('x'.repeat(300), 280), 'x'.repeat(280));
  assert.equal(cleanText('x🙂', 2), 'x');
});

test('text that is blank, or has nothing that can be shown, is none', () => {
  assert.deepEqual(
    ['', '   ', '\u202E\u0000', '\n'].map((text) => cleanText(text, 10)),
    [undefined, undefined, undefined, undefined],
  );
});
