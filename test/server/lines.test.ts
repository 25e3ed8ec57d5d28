import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineSplitter } from '../../lib/server/lines.ts';
import { seeded } from '../support/seeded.ts';

/** Counts what is held, up to a bound. */
class Account {
  bytes = 0;
  most = 0;
  readonly #bound: number;

  constructor(bound = Infinity) {
    this.#bound = bound;
  }

  hold(bytes: number): boolean {
    if (this.bytes + bytes > this.#bound) return false;
    this.bytes += bytes;
    this.most = Math.max(this.most, this.bytes);
    return true;
  }

  release(bytes: number): void {
    this.bytes -= bytes;
  }
}

/** The lines of these chunks: texts, null for what is not UTF-8, and refusals with the size. */
function linesOf(chunks: Buffer[], maxBytes = 1_000, account = new Account()): (string | null)[] {
  const lines = new LineSplitter(maxBytes, account);
  const found: (string | null)[] = [];
  const drain = (): void => {
    while (lines.next()) {
      found.push(lines.refusal === null ? lines.text(lines.start, lines.end) : `${lines.refusal} ${lines.bytes}`);
    }
  };
  for (const chunk of chunks) {
    lines.push(chunk);
    drain();
  }
  lines.pushEnd();
  drain();
  lines.close();
  assert.equal(account.bytes, 0, 'something is still held');
  return found;
}

test('lines are the same wherever the bytes are cut', () => {
  const bytes = Buffer.from(`{"a":1}\n\r\n"ä😀"\r\n \t \n${'x'.repeat(40)}\n"last"`);
  const expected = ['{"a":1}', '"ä😀"', 'payload_too_large 40', '"last"'];
  assert.deepEqual(linesOf([bytes], 20), expected);
  for (let at = 0; at <= bytes.length; at++) {
    assert.deepEqual(linesOf([bytes.subarray(0, at), bytes.subarray(at)], 20), expected, `cut at ${at}`);
  }
  assert.deepEqual(
    linesOf(
      Array.from(bytes, (byte) => Buffer.of(byte)),
      20,
    ),
    expected,
  );
});

test('a line of the limit is taken, one byte more is refused, its CR is not counted', () => {
  for (const end of ['\n', '\r\n', '']) {
    for (const cut of [0, 5, 11, 12]) {
      const bytes = Buffer.from(`${'x'.repeat(10)}${end}`);
      assert.deepEqual(linesOf([bytes.subarray(0, cut), bytes.subarray(cut)], 10), ['x'.repeat(10)]);
    }
  }
  assert.deepEqual(linesOf([Buffer.from(`${'x'.repeat(11)}\n1\n`)], 10), ['payload_too_large 11', '1']);
  assert.deepEqual(linesOf([Buffer.from('x'.repeat(9)), Buffer.from('xx\n1')], 10), ['payload_too_large 11', '1']);
});

test('a line that never ends holds no more than the limit', () => {
  const account = new Account();
  const chunks = Array.from({ length: 1_000 }, () => Buffer.alloc(1_000, 'x'));
  assert.deepEqual(linesOf([...chunks, Buffer.from('\n1')], 5_000, account), ['payload_too_large 1000000', '1']);
  assert.ok(account.most <= 5_001, `${account.most} bytes were held`);
});

test('a line for which there is no memory is refused, and the next one is not', () => {
  const chunks = [
    Buffer.alloc(3_000, 'x'),
    Buffer.alloc(3_000, 'x'),
    Buffer.from('\n'),
    Buffer.from('"a'),
    Buffer.from('"'),
  ];
  assert.deepEqual(linesOf(chunks, 100_000, new Account(4_000)), ['runtime_overloaded 6000', '"a"']);
});

test('a line that is not UTF-8 does not spoil its neighbours', () => {
  const bad = Buffer.from([0x22, 0xc3, 0x28, 0x22]);
  const bytes = Buffer.concat([Buffer.from('"ä"\n'), bad, Buffer.from('\n"ö"\n')]);
  for (let at = 0; at <= bytes.length; at++)
    assert.deepEqual(linesOf([bytes.subarray(0, at), bytes.subarray(at)]), ['"ä"', null, '"ö"'], `cut at ${at}`);
});

test('random lines, cut at random, are what String.split finds', (t) => {
  const line = fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replace(/[\r\n]/g, '_'));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(200)), (texts, cuts) => {
      const bytes = Buffer.from(texts.join('\n'));
      const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
      const expected = texts.filter((text) => !/^[ \t]*$/.test(text));
      assert.deepEqual(
        linesOf(chunks),
        expected.map((text) => Buffer.from(text).toString()),
      );
    }),
    seeded(t, 500),
  );
});
