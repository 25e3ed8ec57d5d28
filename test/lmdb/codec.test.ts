import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { Decoder, Encoder, FIRST_VERSION, FORMAT_VERSION, isIntact } from '../../lib/lmdb/codec.ts';
import { seeded } from '../support/seeded.ts';

const value = fc.oneof(
  fc.record({ kind: fc.constant('varint' as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant('number' as const), value: fc.double({ noNaN: true }) }),
  fc.record({ kind: fc.constant('byte' as const), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('text' as const), value: fc.string({ unit: 'grapheme', maxLength: 200 }) }),
  fc.record({
    kind: fc.constant('payload' as const),
    value: fc.oneof(fc.string({ unit: 'grapheme', maxLength: 200 }), fc.uint8Array(), fc.constant(null)),
  }),
);
const KEY = Buffer.from('Wworker');

type Value = typeof value extends fc.Arbitrary<infer V> ? V : never;

function write(to: Encoder, values: readonly Value[]): Buffer {
  to.reset();
  for (const each of values) {
    if (each.kind === 'varint') to.varint(each.value);
    else if (each.kind === 'number') to.number(each.value);
    else if (each.kind === 'byte') to.byte(each.value);
    else if (each.kind === 'text') to.text(each.value);
    else to.payload(each.value);
  }
  return to.sealedCopy(KEY);
}

describe('the codec', () => {
  test('reads what it wrote, from an encoder that grows and is used again', (t) => {
    const encoder = new Encoder(8);
    const property = fc.property(fc.array(value), (values) => {
      const decoder = new Decoder(write(encoder, values), KEY);
      assert.deepEqual(
        values.map(({ kind }) => decoder[kind]()),
        values.map((each) => each.value),
      );
      assert.ok(decoder.isAtEnd);
    });
    fc.assert(property, seeded(t, 300));
  });

  test('keeps long texts, whatever their characters', () => {
    for (const text of ['x'.repeat(200_000), 'ä😀'.repeat(50_000), `${'x'.repeat(63)}ä`, 'x'.repeat(64)]) {
      const sealed = write(new Encoder(8), [
        { kind: 'payload', value: text },
        { kind: 'varint', value: 7 },
      ]);
      const decoder = new Decoder(sealed, KEY);
      assert.deepEqual([decoder.payload(), decoder.varint()], [text, 7]);
    }
  });

  test('refuses a value of which a bit is wrong, or that is cut off, wherever', () => {
    const sealed = write(new Encoder(), [
      { kind: 'text', value: 'abc' },
      { kind: 'number', value: 1 },
    ]);
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] as number) ^ 4;
      for (const damaged of [changed, sealed.subarray(0, at)]) {
        assert.equal(isIntact(damaged, KEY), false);
        assert.throws(() => new Decoder(damaged, KEY), { code: 'store_corrupt' });
      }
    }
  });

  test('refuses a value that is read as the one of another key', () => {
    const sealed = write(new Encoder(), [{ kind: 'text', value: 'abc' }]);
    for (const other of ['Wworkes', 'Vworker', 'Wworke', 'Wworker2', '']) {
      assert.equal(isIntact(sealed, Buffer.from(other)), false);
      assert.throws(() => new Decoder(sealed, Buffer.from(other)), { code: 'store_corrupt' });
    }
  });

  test('reads what the first version wrote only where that is asked for', () => {
    const sealed = write(new Encoder(), [{ kind: 'text', value: 'abc' }]);
    sealed[4] = FIRST_VERSION;
    sealed.writeUInt32BE(crc32(sealed.subarray(4)));
    assert.throws(() => new Decoder(sealed, KEY), { code: 'store_corrupt' });
    assert.equal(new Decoder(sealed, KEY, FIRST_VERSION).text(), 'abc');
  });

  test('refuses to read beyond the end of a sound value', () => {
    for (const read of ['byte', 'varint', 'number', 'text', 'payload'] as const)
      assert.throws(() => new Decoder(write(new Encoder(), []), KEY)[read](), { code: 'store_corrupt' });
  });

  test('refuses what a newer version wrote, and says which versions', () => {
    const sealed = write(new Encoder(), [{ kind: 'byte', value: 1 }]);
    sealed[4] = FORMAT_VERSION + 1;
    // The version is part of what is summed up.
    assert.throws(() => new Decoder(sealed, KEY), { code: 'store_corrupt' });
    sealed.writeUInt32BE(crc32(sealed.subarray(4), crc32(KEY)));
    assert.throws(() => new Decoder(sealed, KEY), {
      code: 'store_version',
      message: `The store is of version ${FORMAT_VERSION + 1}, this runtime reads versions up to ${FORMAT_VERSION}.`,
    });
  });
});
