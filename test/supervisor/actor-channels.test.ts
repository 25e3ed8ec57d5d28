// Channels in actors, in threads and on the main thread: both ends, back-pressure through the wire, and what becomes of the ends of a
// worker that stops or whose host dies.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { ChannelRef } from '../../lib/protocol/channel-ref.ts';
import { CHANNEL_BUFFER_BYTES, SERVICE_CALLS_IN_FLIGHT } from '../../lib/limits.ts';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { codeOf, eventually, hasStatus, recordLog, startRuntime } from '../support/start-runtime.ts';

const CHUNK_BYTES = 100_000;

async function start(t: TestContext, options: Partial<RuntimeOptions> = {}): Promise<[Runtime, WorkerHandle]> {
  const runtime = await startRuntime(t, options);
  return [runtime, await runtime.create({ kind: 'piper', workerId: 'w' })];
}

async function failureOf(stream: NodeJS.EventEmitter): Promise<unknown> {
  const [error] = (await once(stream, 'error')) as [{ code: string; details: object }];
  return { code: error.code, ...error.details };
}

function isTaken(runtime: Runtime, ref: ChannelRef): boolean {
  try {
    runtime.channels.check(ref);
    return false;
  } catch {
    return true;
  }
}

for (const hosts of [1, 0]) {
  describe(hosts === 0 ? 'an actor on the main thread' : 'an actor in a thread', () => {
    test('sends more than a message can hold, and receives it', async (t) => {
      const [runtime, worker] = await start(t, { hosts, limits: { maxMessageBytes: 1_000_000 } });
      const chunks = 200;
      const out = runtime.channel();
      const received = buffer(out.readable());
      const sent = await worker.ask({ do: 'send', to: out.writer, chunks, chunkBytes: CHUNK_BYTES });
      const bytes = await received;
      assert.deepEqual([sent, bytes.length, bytes.every((byte) => byte === 120)], ['sent', chunks * CHUNK_BYTES, true]);

      const back = runtime.channel();
      const counted = worker.ask({ do: 'receive', from: back.reader });
      back.writable().end(bytes);
      assert.equal(await counted, bytes.length);
      await eventually(() => runtime.channels.size === 0);
    });

    test('keeps text and bytes apart and in order, in both directions', async (t) => {
      const [runtime, worker] = await start(t, { hosts });
      const channel = runtime.channel();
      const heard = worker.ask({ do: 'listen', from: channel.reader });
      const writable = channel.writable();
      for (const message of ['a', Buffer.alloc(3), '', 'ü', Buffer.alloc(70_000)]) writable.write(message);
      writable.end();
      assert.deepEqual(await heard, ['a', 3, '', 'ü', 65_536, 70_000 - 65_536]);

      const back = runtime.channel({ bufferMessages: 2 });
      const messages = back.readable({ messages: true }).toArray();
      const texts = Array.from({ length: 500 }, (_, n) => `text ${n}`);
      await worker.ask({ do: 'say', to: back.writer, texts });
      assert.deepEqual(await messages, texts);
    });

    test('has both ends of one channel', async (t) => {
      const [, worker] = await start(t, { hosts });
      assert.equal(await worker.ask({ do: 'talk to itself' }), 'hello');
    });

    test('is slowed down by a reader that does not read', async (t) => {
      const [runtime, worker] = await start(t, { hosts });
      const channel = runtime.channel();
      const chunks = 300;
      const sent = worker.ask({ do: 'send', to: channel.writer, chunks, chunkBytes: CHUNK_BYTES });
      const end = runtime.channels.takeReader(channel.reader);
      let told = 0;
      end.listen(() => told++);
      await eventually(() => told > 2);
      let bytes = 0;
      let mostBytes = 0;
      // What is there at a time, read in one go, is what the channel held.
      while (!end.isOver) {
        let heldBytes = 0;
        for (let message = end.read(); message !== null; message = end.read()) heldBytes += message.bytes.length;
        bytes += heldBytes;
        mostBytes = Math.max(mostBytes, heldBytes);
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(await sent, 'sent');
      assert.equal(bytes, chunks * CHUNK_BYTES);
      assert.ok(mostBytes <= CHANNEL_BUFFER_BYTES + 65_536, `${mostBytes} held`);
    });

    test('is told what is wrong with a reference', async (t) => {
      const [runtime, worker] = await start(t, { hosts });
      const { reader } = runtime.channel();
      assert.equal(
        await codeOf(worker.ask({ do: 'receive', from: { ...reader, access_key: 'x' } })),
        'channel_not_found',
      );
      runtime.openChannel(reader).on('error', () => undefined); // with the runtime
      assert.equal(await codeOf(worker.ask({ do: 'receive', from: reader })), 'channel_taken');
    });

    test('gets channel_closed when the other end goes', async (t) => {
      const [runtime, worker] = await start(t, { hosts });
      const out = runtime.channel();
      const sending = worker.ask({ do: 'send', to: out.writer, chunks: 300, chunkBytes: CHUNK_BYTES });
      const readable = out.readable();
      await once(readable, 'readable');
      readable.destroy();
      assert.equal(await codeOf(sending), 'channel_closed');

      const back = runtime.channel();
      const receiving = worker.ask({ do: 'receive', from: back.reader });
      back.writable().destroy();
      assert.equal(await codeOf(receiving), 'channel_closed');
    });

    test('whose input is cancelled ends, though it waits for a channel', async (t) => {
      const [runtime, worker] = await start(t, { hosts });
      const { reader, writer } = runtime.channel();
      const failure = failureOf(runtime.openChannel(writer));
      const outcome = codeOf(worker.ask({ do: 'receive', from: reader }));
      await eventually(() => isTaken(runtime, reader));
      await worker.cancel();
      assert.equal(await outcome, 'cancelled');
      assert.deepEqual(await failure, { code: 'channel_closed', reason: 'reader_gone' });
      assert.equal(worker.view().restarts, 0);
    });

    test('that is stopped lets go of what it holds and takes along what it made', async (t) => {
      const { log, lines } = recordLog();
      const [runtime, worker] = await start(t, { hosts, log });
      const neighbour = await runtime.create({ kind: 'piper' });
      const [toWorker, fromWorker] = [runtime.channel(), runtime.channel()];
      const writable = toWorker.writable();
      const readable = fromWorker.readable().resume();
      const failures = [failureOf(writable), failureOf(readable)];
      const made = (await worker.ask({ do: 'make' })) as { reader: ChannelRef<'read'>; writer: ChannelRef<'write'> };
      failures.push(failureOf(runtime.openChannel(made.reader).resume()));
      await worker.ask({ do: 'hold', reader: toWorker.reader, writer: fromWorker.writer });
      await worker.stop({});
      assert.deepEqual(
        await Promise.all(failures),
        ['reader_gone', 'writer_gone', 'owner_gone'].map((reason) => ({ code: 'channel_closed', reason })),
      );
      assert.equal(runtime.channels.size, 0);
      // Its streams have failed by now, with nobody listening to their errors.
      await eventually(() => lines.some(({ message }) => message === 'a channel failed'));
      assert.equal(await neighbour.ask({ do: 'talk to itself' }), 'hello');
      assert.equal(neighbour.view().restarts, 0);
    });
  });
}

test('a host that dies lets go of every end that its actors held', async (t) => {
  const [runtime, worker] = await start(t);
  const neighbour = await runtime.create({ kind: 'piper' });
  const [toWorker, fromNeighbour] = [runtime.channel(), runtime.channel()];
  const failures = [failureOf(toWorker.writable()), failureOf(fromNeighbour.readable().resume())];
  const made = (await neighbour.ask({ do: 'make' })) as { writer: ChannelRef<'write'> };
  failures.push(failureOf(runtime.openChannel(made.writer)));
  await worker.ask({ do: 'hold', reader: toWorker.reader });
  await neighbour.ask({ do: 'hold', writer: fromNeighbour.writer });
  assert.equal(await codeOf(worker.ask({ do: 'exit' })), 'host_lost');
  assert.deepEqual(
    await Promise.all(failures),
    ['reader_gone', 'writer_gone', 'owner_gone'].map((reason) => ({ code: 'channel_closed', reason })),
  );
  assert.equal(runtime.channels.size, 0);
  await hasStatus(worker, 'idle');
  assert.equal(await worker.ask({ do: 'talk to itself' }), 'hello');
});

test('two actors move a stream between them through a third', async (t) => {
  const [runtime, worker] = await start(t, { hosts: 2 });
  const [second, third] = [await runtime.create({ kind: 'piper' }), await runtime.create({ kind: 'piper' })];
  const [first, last] = [runtime.channel(), runtime.channel({ bufferMessages: 1 })];
  const outcomes = await Promise.all([
    worker.ask({ do: 'send', to: first.writer, chunks: 50, chunkBytes: CHUNK_BYTES }),
    second.ask({ do: 'pass on', from: first.reader, to: last.writer }),
    third.ask({ do: 'receive', from: last.reader }),
  ]);
  assert.deepEqual(outcomes, ['sent', 'passed on', 50 * CHUNK_BYTES]);
});

test('reads that wait do not use up what a host may ask of the runtime', async (t) => {
  const [runtime, worker] = await start(t, { limits: { maxChannels: 5_000 } });
  const writers: ChannelRef<'write'>[] = [];
  while (writers.length <= SERVICE_CALLS_IN_FLIGHT) {
    const refs = Array.from({ length: 500 }, () => runtime.channel());
    await Promise.all(refs.map(({ reader }) => worker.ask({ do: 'hold', reader })));
    writers.push(...refs.map(({ writer }) => writer));
  }
  assert.equal(await worker.ask({ do: 'talk to itself' }), 'hello');
  for (const writer of writers) runtime.openChannel(writer).end();
  await eventually(() => runtime.channels.size === 0);
});

test('a runtime that is closed ends its channels and makes no more', async (t) => {
  const [runtime] = await start(t, { hosts: 0 });
  const failure = failureOf(runtime.channel().readable().resume());
  await runtime.close();
  assert.deepEqual(await failure, { code: 'channel_closed', reason: 'runtime_closed' });
  assert.throws(() => runtime.channel(), { code: 'runtime_unavailable' });
});
