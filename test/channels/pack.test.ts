// Messages that cross a port together: as they were, bounded, and with nothing of the memory that they were cut from.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PACK_BYTES, PACK_MESSAGES } from '../../lib/channels/bounds.ts';
import type { Message } from '../../lib/channels/end.ts';
import { MessagePack } from '../../lib/channels/pack.ts';

function packOf(messages: Message[]): MessagePack {
  return MessagePack.of(() => messages.shift() ?? null);
}

describe('a pack', () => {
  test('holds the messages as they were, and only their bytes', () => {
    const large = Buffer.from('....slice....');
    const messages = [
      { bytes: large.subarray(4, 9), isText: true },
      { bytes: Buffer.alloc(0), isText: false },
      { bytes: Buffer.from([1, 2]), isText: false },
    ];
    const pack = packOf([...messages]);
    assert.equal(pack.bytes.buffer.byteLength, 7);
    assert.deepEqual(
      [...pack.messages()].map(({ bytes, isText }) => ({ bytes: Buffer.from(bytes), isText })),
      messages,
    );
  });

  test('takes messages until it is full, and one may go beyond that', () => {
    const half = { bytes: new Uint8Array(PACK_BYTES / 2), isText: false };
    const large = { bytes: new Uint8Array(2 * PACK_BYTES), isText: false };
    const rest = [half, large, half];
    assert.deepEqual(packOf(rest).lengths, [PACK_BYTES / 2, 2 * PACK_BYTES]);
    assert.deepEqual(packOf([half, half, half]).lengths.length, 2);
    assert.equal(rest.length, 1);
  });

  test('takes so many messages, however small', () => {
    const empty = { bytes: new Uint8Array(0), isText: true };
    assert.equal(packOf(Array.from({ length: PACK_MESSAGES + 1 }, () => empty)).lengths.length, PACK_MESSAGES);
    assert.deepEqual(packOf([]).lengths, []);
  });
});
