// Packed texts come back as they were, and take less room.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packLater, packText, unpackLater, unpackText } from '../../lib/protocol/packed.ts';

const LONG = JSON.stringify(Array.from({ length: 500 }, (_, index) => ({ name: `größe ${index}`, type: 'string' })));

test('a text comes back as it was, however it was packed and is unpacked', async () => {
  for (const text of ['', '{}', 'ü'.repeat(1_023), 'ü'.repeat(1_024), LONG]) {
    for (const packed of [packText(text), await packLater(text), await packLater(Buffer.from(text))]) {
      assert.equal(unpackText(packed), text);
      assert.equal((await unpackLater(packed)).toString(), text);
    }
  }
});

test('a long text takes less room, with nothing behind its bytes; a short one stays a text', async () => {
  assert.equal(packText('{}'), '{}');
  for (const packed of [packText(LONG), await packLater(LONG)]) {
    assert.ok(packed instanceof Uint8Array);
    assert.ok(packed.byteLength < LONG.length / 5);
    assert.equal(packed.buffer.byteLength, packed.byteLength);
  }
});

test('what is not packed cannot be unpacked', async () => {
  assert.throws(() => unpackText(new Uint8Array([1, 2, 3])));
  await assert.rejects(unpackLater(new Uint8Array([1, 2, 3])));
});
