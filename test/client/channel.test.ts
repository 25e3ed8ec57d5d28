// The client's way into and out of channels, against a real runtime.

import assert from 'node:assert/strict';
import { buffer, text } from 'node:stream/consumers';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createClient } from '../../lib/client/index.ts';
import type { Client } from '../../lib/client/index.ts';
import type { Runtime } from '../../lib/runtime.ts';
import { startServer } from '../../lib/server/index.ts';
import { codeOf, eventually, startRuntime } from '../support/start-runtime.ts';

const token = 'a-token-for-tests';

async function start(t: TestContext): Promise<{ client: Client; runtime: Runtime }> {
  const runtime = await startRuntime(t);
  const server = await startServer({ runtime, token });
  const client = createClient({ url: server.url, token });
  t.after(async () => {
    await client.close();
    await server.close();
  });
  return { client, runtime };
}

describe('a client', () => {
  test('sends bytes and streams through a channel, and receives them', async (t) => {
    const { client, runtime } = await start(t);
    const bytes = Buffer.alloc(3_000_000, 'greenroom');
    const sources = [bytes, Readable.from([bytes]), [bytes.subarray(0, 7), bytes.subarray(7)]];
    for (const source of sources) {
      const { reader, writer } = await client.channel({ bufferMessages: 8 });
      const received = client.download(reader).then((body) => buffer(body));
      const { channelId, bytes: written } = await client.upload(writer, source);
      assert.deepEqual([channelId, written], [writer.channel_id, bytes.length]);
      assert.ok(bytes.equals(await received));
    }
    await eventually(() => runtime.channels.size === 0);
  });

  test('passes a reference to an actor, which reads what the client sends', async (t) => {
    const { client } = await start(t);
    const { reader, writer } = await client.channel();
    const worker = await client.create({ kind: 'piper' });
    const [count] = await Promise.all([
      worker.ask({ do: 'receive', from: reader }),
      client.upload(writer, Readable.from(Array.from({ length: 300 }, () => Buffer.alloc(100_000)))),
    ]);
    assert.equal(count, 30_000_000);
  });

  test('is told why a channel is not there or has ended', async (t) => {
    const { client, runtime } = await start(t);
    const { reader, writer } = await client.channel();
    assert.equal(await codeOf(client.download({ ...reader, access_key: 'x' })), 'channel_not_found');
    assert.equal(
      await codeOf(client.upload({ ...writer, channel_id: '../workers' }, Buffer.of(1))),
      'channel_not_found',
    );
    const readable = runtime.openChannel(reader);
    assert.equal(await codeOf(client.download(reader)), 'channel_taken');
    const endless = new Readable({ read: () => undefined });
    const uploading = codeOf(client.upload(writer, endless));
    endless.push('begin');
    await once(readable, 'readable');
    readable.destroy();
    assert.equal(await uploading, 'channel_closed');
    assert.ok(endless.destroyed);
  });

  test('sees a download fail that its writer has broken off', async (t) => {
    const { client, runtime } = await start(t);
    const { reader, writer } = await client.channel();
    const writable = runtime.openChannel(writer);
    writable.write('half');
    const readable = await client.download(reader);
    const received = codeOf(text(readable));
    writable.destroy();
    assert.equal(await received, 'runtime_unavailable');
  });

  test('ends a transfer with its signal, and the other end is told', async (t) => {
    const { client, runtime } = await start(t);
    const controller = new AbortController();
    const { reader, writer } = await client.channel();
    const writable = runtime.openChannel(writer);
    writable.write('begin');
    const readable = await client.download(reader, { signal: controller.signal });
    const failed = Promise.all([codeOf(text(readable)), once(writable, 'error')]);
    controller.abort();
    const [code, [error]] = (await failed) as [unknown, [{ code: string }]];
    assert.deepEqual([code, error.code], ['cancelled', 'channel_closed']);
  });

  test('that does not read on a download does not keep the runtime from telling the writer', async (t) => {
    const { client, runtime } = await start(t);
    const { reader, writer } = await client.channel();
    const writable = runtime.openChannel(writer);
    writable.write('begin');
    (await client.download(reader)).destroy();
    const [error] = (await once(writable, 'error')) as [{ details: object }];
    assert.deepEqual(error.details, { reason: 'reader_gone' });
  });
});
