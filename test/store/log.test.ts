// The log keeps what its owners keep, wherever it moves it, and lets go of the rest.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Payload } from '../../lib/protocol/payload.ts';
import { Log } from '../../lib/store/log.ts';
import type { LogOwner } from '../../lib/store/log.ts';
import { seeded } from '../support/seeded.ts';

/** Keeps its newest entries, and knows what must be in them. */
class Owner implements LogOwner {
  readonly #log: Log;
  readonly #maxEntries: number;
  readonly #entries = new Map<number, { position: number; size: number; data: Payload }>();
  #last = 0;
  moves = 0;

  constructor(log: Log, maxEntries: number) {
    this.#log = log;
    this.#maxEntries = maxEntries;
  }

  append(data: Payload): void {
    const sequence = ++this.#last;
    const size = 64 + data.length;
    const position = this.#log.append(this, sequence, 'output', 1_000 + sequence, sequence, size, data);
    this.#entries.set(sequence, { position, size, data });
    if (this.#entries.size > this.#maxEntries) this.drop(sequence - this.#maxEntries);
  }

  drop(sequence: number): void {
    const { position, size } = this.#entries.get(sequence) ?? assert.fail('dropped twice');
    this.#log.release(position, size);
    this.#entries.delete(sequence);
  }

  dropAll(): void {
    for (const sequence of [...this.#entries.keys()]) this.drop(sequence);
  }

  keeps(sequence: number, position: number): boolean {
    return this.#entries.get(sequence)?.position === position;
  }

  moved(sequence: number, position: number): void {
    this.moves++;
    const entry = this.#entries.get(sequence) ?? assert.fail('moved what nobody keeps');
    entry.position = position;
  }

  requireAll(): void {
    for (const [sequence, { position, data }] of this.#entries) {
      const expected = { type: 'output', atMs: 1_000 + sequence, inputSeq: sequence, data };
      assert.deepEqual(this.#log.at(position), expected);
    }
  }
}

const data: fc.Arbitrary<Payload> = fc.oneof(
  { weight: 20, arbitrary: fc.json() },
  { weight: 5, arbitrary: fc.string({ unit: 'grapheme' }) },
  { weight: 1, arbitrary: fc.constantFrom(4_096, 4_097, 70_000).map((chars) => 'ä'.repeat(chars)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
);

describe('a log', () => {
  test('gives back every entry that its owners keep, whatever was dropped in between', (t) => {
    const step = fc.record({ owner: fc.nat({ max: 3 }), data, times: fc.nat({ max: 400 }), isDrop: fc.boolean() });
    const property = fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const log = new Log();
      const owners = [1, 10, 300, 5_000].map((maxEntries) => new Owner(log, maxEntries));
      for (const { owner: at, data: value, times, isDrop } of steps) {
        const owner = owners[at] as Owner;
        for (let n = 0; n < times; n++) owner.append(value);
        if (isDrop && times < 20) owner.dropAll();
      }
      for (const owner of owners) owner.requireAll();
    });
    fc.assert(property, seeded(t, 60));
  });

  test('moves what a quiet owner keeps out of the way of a busy one, and holds little more than is kept', () => {
    const log = new Log();
    const quiet = new Owner(log, 1_000);
    const busy = new Owner(log, 100);
    for (let n = 0; n < 1_000; n++) quiet.append(`"quiet ${n}"`);
    for (let n = 0; n < 200_000; n++) busy.append(`"busy ${n}"`);
    assert.ok(quiet.moves >= 1_000, `${quiet.moves} moves`);
    quiet.requireAll();
    busy.requireAll();
    // 1,100 entries of less than 100 are kept: twice that, a MiB of slack, and the segments that are being filled.
    assert.ok(log.size < 2 * 110_000 + 1_048_576 + 4 * 512 * 100, `${log.size} bytes held`);
  });
});
