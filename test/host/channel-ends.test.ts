// The ends of channels in a host, against calls that the test answers: one at a time, gathered, and each failure told.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PACK_BYTES } from '../../lib/channels/bounds.ts';
import { MessagePack } from '../../lib/channels/pack.ts';
import { GreenroomError } from '../../lib/errors.ts';
import { WireReadEnd, WireWriteEnd } from '../../lib/host/channel-ends.ts';

/** Calls whose answers the test gives; each is listed with its arguments. */
class Calls {
  readonly made: unknown[][] = [];
  readonly #answers: { resolve: (value: unknown) => void; reject: (error: unknown) => void }[] = [];

  readonly read = () => this.#call('read');
  readonly write = (pack: MessagePack) => this.#call('write', pack.lengths);
  readonly end = (isWhole: boolean) => this.#call('end', isWhole);

  async answer(value?: unknown): Promise<void> {
    this.#answers.shift()?.resolve(value);
    await turn();
  }

  async refuse(error: Error): Promise<void> {
    this.#answers.shift()?.reject(error);
    await turn();
  }

  #call(...call: unknown[]): Promise<never> {
    this.made.push(call);
    return new Promise<unknown>((resolve, reject) => this.#answers.push({ resolve, reject })) as Promise<never>;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const text = (value: string) => ({ bytes: Buffer.from(value), isText: true });
const packOf = (...texts: string[]) =>
  MessagePack.of(() => (texts.length === 0 ? null : text(texts.shift() as string)));
const closed = GreenroomError.of('channel_closed');

describe('a reading end', () => {
  test('asks once while it has nothing, and again when it has handed out what came', async () => {
    const calls = new Calls();
    const end = new WireReadEnd(calls);
    let told = 0;
    end.listen(() => told++);
    assert.deepEqual([end.read(), end.read(), calls.made], [null, null, [['read']]]);
    await calls.answer(packOf('a', 'b'));
    assert.equal(told, 1);
    assert.deepEqual(
      [end.read(), end.read()].map((message) => Buffer.from(message?.bytes ?? []).toString()),
      ['a', 'b'],
    );
    assert.equal(calls.made.length, 1);
    assert.equal(end.read(), null);
    await calls.answer(null);
    assert.deepEqual([end.isOver, end.failure, end.read(), calls.made.length], [true, null, null, 2]);
  });

  test('fails with what its call fails with, and is closed once', async () => {
    const calls = new Calls();
    const end = new WireReadEnd(calls);
    end.read();
    await calls.refuse(closed);
    assert.deepEqual([end.failure, end.isOver, end.read()], [closed, false, null]);
    end.close();
    end.close();
    assert.deepEqual(calls.made, [['read'], ['end', false]]);
  });
});

describe('a writing end', () => {
  test('sends what was written in one turn together, and the next only when there is room', async () => {
    const calls = new Calls();
    const end = new WireWriteEnd(calls);
    for (const value of ['a', 'bc']) end.write(text(value));
    await turn();
    end.write(text('d'));
    await turn();
    assert.deepEqual(calls.made, [['write', [1, 2]]]);
    await calls.answer();
    assert.deepEqual(calls.made.slice(1), [['write', [1]]]);
  });

  test('has no room for more than one pack beside the one that is being sent', async () => {
    const calls = new Calls();
    const end = new WireWriteEnd(calls);
    let told = 0;
    end.listen(() => told++);
    const message = { bytes: new Uint8Array(PACK_BYTES), isText: false };
    assert.equal(end.write(message), false);
    await turn();
    assert.deepEqual([told, end.hasRoom, end.write(message)], [1, true, false]);
    await calls.answer();
    assert.deepEqual([told, end.hasRoom], [2, true]);
  });

  test('ends when the runtime has all of it', async () => {
    const calls = new Calls();
    const end = new WireWriteEnd(calls);
    end.write(text('last'));
    let hasEnded = false;
    const ending = end.end().then(() => (hasEnded = true));
    await turn();
    assert.deepEqual([calls.made, hasEnded], [[['write', [4]]], false]);
    await calls.answer();
    assert.deepEqual([calls.made[1], hasEnded], [['end', true], false]);
    await calls.answer();
    await ending;
    end.abort();
    assert.equal(calls.made.length, 2);
  });

  test('fails with what its call fails with: then, with the next write and with the end', async () => {
    const calls = new Calls();
    const end = new WireWriteEnd(calls);
    let told = 0;
    end.listen(() => told++);
    end.write(text('a'));
    await turn();
    await calls.refuse(closed);
    assert.deepEqual([end.failure, told], [closed, 2]);
    assert.throws(() => end.write(text('b')), closed);
    await assert.rejects(end.end(), closed);
    end.abort();
    assert.deepEqual(calls.made.at(-1), ['end', false]);
  });
});
