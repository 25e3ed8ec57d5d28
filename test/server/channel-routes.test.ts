// Channels over REST: bodies above every other bound in both directions, a sender that has to wait, and either side going away.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Agent, request } from 'undici';
import type { Dispatcher } from 'undici';
import type { ChannelRef, ChannelRefs } from '../../lib/protocol/channel-ref.ts';
import { CHANNEL_BUFFER_BYTES } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';
import { eventually } from '../support/start-runtime.ts';
import { exchange, head, startEdge, TOKEN } from './support.ts';
import type { Edge } from './support.ts';

const MiB = 1024 * 1024;

interface Scene extends Edge {
  create: () => Promise<Created>;
  put: (ref: ChannelRef, body?: Readable | Buffer) => Promise<Dispatcher.ResponseData>;
  get: (ref: ChannelRef) => Promise<Dispatcher.ResponseData>;
}

async function start(t: TestContext, limits: Partial<Limits> = {}): Promise<Scene> {
  const dispatcher = new Agent();
  // Before the server closes: a broken upload makes undici open a connection that it has no use for yet.
  t.after(() => dispatcher.destroy());
  const edge = await startEdge(t, limits);
  const create = async (): Promise<Created> => {
    const { status, text } = await edge.send('POST', '/v1/channels', { body: {} });
    assert.equal(status, 201);
    return (JSON.parse(text) as { channel: Created }).channel;
  };
  const options = { headers: { authorization: `Bearer ${TOKEN}` }, dispatcher };
  return {
    ...edge,
    create,
    put: (ref, body) => request(edge.url + pathOf(ref), { ...options, method: 'PUT', ...(body && { body }) }),
    get: (ref) => request(edge.url + pathOf(ref), options),
  };
}

type Created = ChannelRefs & { channel_id: string };

const pathOf = ({ channel_id: id, access_key: key }: ChannelRef) => `/v1/channels/${id}?key=${key}`;

/** So many bytes that repeat with no power of two, and their digest. */
function bulk(bytes: number): { source: Readable; digest: string } {
  const chunk = Buffer.from(Array.from({ length: 99_991 }, (_, n) => n % 251));
  const hash = createHash('sha256');
  const chunks: Buffer[] = [];
  for (let left = bytes; left > 0; left -= chunk.length) chunks.push(chunk.subarray(0, left));
  for (const part of chunks) hash.update(part);
  return { source: Readable.from(chunks), digest: hash.digest('hex') };
}

async function digestOf(body: AsyncIterable<Buffer>): Promise<{ bytes: number; digest: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, digest: hash.digest('hex') };
}

describe('a body through a channel', () => {
  test('may be larger than any message, declared or not, and arrives byte for byte', async (t) => {
    const { put, get, create, runtime } = await start(t);
    const bytes = 40 * MiB + 17;
    for (const isDeclared of [false, true]) {
      const { reader, writer } = await create();
      const { source, digest } = bulk(bytes);
      const body = isDeclared ? Buffer.concat((await source.toArray()) as Buffer[]) : source;
      const [received, uploaded] = await Promise.all([
        get(reader).then(async (response) => ({
          type: response.headers['content-type'],
          ...(await digestOf(response.body)),
        })),
        put(writer, body).then(async (response) => ({
          status: response.statusCode,
          body: (await response.body.json()) as { channel: { channel_id: string; bytes: number; messages: number } },
        })),
      ]);
      assert.deepEqual(received, { type: 'application/octet-stream', bytes, digest });
      assert.equal(uploaded.status, 200);
      const { channel_id: id, bytes: written, messages } = uploaded.body.channel;
      assert.deepEqual([id, written], [writer.channel_id, bytes]);
      assert.ok(messages > 1);
      await eventually(() => runtime.channels.size === 0);
    }
  });

  test('may be sent before its reader comes, as far as the channel buffers it', async (t) => {
    const { send, create, get } = await start(t);
    const { reader, writer } = await create();
    const sent = await send('PUT', pathOf(writer), { body: 'früh', headers: { 'content-type': 'text/plain' } });
    assert.deepEqual(JSON.parse(sent.text), { channel: { channel_id: writer.channel_id, bytes: 5, messages: 1 } });
    assert.equal(await (await get(reader)).body.text(), 'früh');
  });

  test('may be empty, with or without one', async (t) => {
    const { send, create, put } = await start(t);
    for (const body of [undefined, Readable.from([])]) {
      const { reader, writer } = await create();
      const { statusCode } = await put(writer, body);
      assert.equal(statusCode, 200);
      const { status, text } = await send('GET', pathOf(reader));
      assert.deepEqual([status, text], [200, '']);
    }
  });

  test('gives text messages as their UTF-8', async (t) => {
    const { create, runtime, get } = await start(t);
    const { reader, writer } = await create();
    const writable = runtime.openChannel(writer);
    writable.write('ü');
    writable.end(Buffer.from('!'));
    assert.equal(await (await get(reader)).body.text(), 'ü!');
  });

  test('holds its sender back while nobody reads', async (t) => {
    const { port, create, runtime } = await start(t);
    const { reader, writer } = await create();
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    const bytes = 60 * MiB; // more than any buffer of the system takes
    socket.write(head('PUT', pathOf(writer), `content-length: ${bytes}`));
    let sent = 0;
    const chunk = Buffer.alloc(MiB);
    let isFull = false;
    for (; sent < bytes && !isFull; sent += chunk.length) isFull = !socket.write(chunk) && sent > 20 * MiB;
    assert.ok(sent < bytes, 'the sender stands still');
    const end = runtime.channels.takeReader(reader);
    const held = await eventually(() => {
      let heldBytes = 0;
      for (let message = end.read(); message !== null; message = end.read()) heldBytes += message.bytes.length;
      return heldBytes > 0 && heldBytes;
    });
    assert.ok(held <= CHANNEL_BUFFER_BYTES + 65_536, `${held} held`);
    socket.write(Buffer.alloc(bytes - sent));
    let rest = held;
    await eventually(() => {
      for (let message = end.read(); message !== null; message = end.read()) rest += message.bytes.length;
      return end.isOver;
    });
    assert.equal(rest, bytes);
  });

  test('is asked for with 100 Continue however large it is declared', async (t) => {
    const { port, create } = await start(t, { maxMessageBytes: 1_000 });
    const { writer } = await create();
    const socket = connect(port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.write(head('PUT', pathOf(writer), 'content-length: 5000', 'expect: 100-continue'));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 100 /);
  });
});

describe('a transfer that breaks off', () => {
  test('at the sender cuts the receiver’s answer, so that it is not taken for the whole', async (t) => {
    const { get, port, create } = await start(t);
    const { reader, writer } = await create();
    const sender = connect(port, '127.0.0.1');
    sender.write(`${head('PUT', pathOf(writer), 'content-length: 100')}half`);
    const { body } = await get(reader);
    const [chunk] = (await once(body, 'data')) as [Buffer];
    sender.destroy();
    const [error] = (await once(body, 'error')) as [Error];
    assert.deepEqual([chunk.toString(), error instanceof Error], ['half', true]);
  });

  test('at the sender before anything came is an answer with an error', async (t) => {
    const { create, runtime, send } = await start(t);
    const { reader, writer } = await create();
    const writable = runtime.openChannel(writer);
    const answer = send('GET', pathOf(reader));
    await eventually(() => {
      try {
        runtime.channels.check(reader);
        return false;
      } catch {
        return true; // taken by the request
      }
    });
    writable.destroy();
    const { status, json } = await answer;
    assert.deepEqual([status, json.error.code, json.error.details], [409, 'channel_closed', { reason: 'writer_gone' }]);
  });

  test('at the receiver is told to the sender, who gets to read it', async (t) => {
    const { put, get, create } = await start(t);
    const { reader, writer } = await create();
    const source = new Readable({ read: () => undefined });
    source.push('begin');
    const answer = put(writer, source);
    const { body } = await get(reader);
    await once(body, 'data');
    body.on('error', () => undefined).destroy();
    const { statusCode, body: refusal } = await answer;
    const { error } = (await refusal.json()) as { error: { code: string; details: object } };
    assert.deepEqual([statusCode, error.code, error.details], [409, 'channel_closed', { reason: 'reader_gone' }]);
  });

  test('because nobody moves anything is told to both', async (t) => {
    const { port, create, send } = await start(t, { channelIdleMs: 200 });
    const { reader, writer } = await create();
    const answers = await Promise.all([
      // Too much to be thrown away in passing, so that the connection is closed.
      exchange(port, head('PUT', pathOf(writer), 'content-length: 100000')),
      send('GET', pathOf(reader)),
    ]);
    assert.deepEqual(
      answers.map(({ status, json }) => [status, json.error.details]),
      [
        [409, { reason: 'idle' }],
        [409, { reason: 'idle' }],
      ],
    );
  });
});

describe('a request for a channel', () => {
  test('makes one with references to both ends', async (t) => {
    const { create } = await start(t);
    const channel = await create();
    const { channel_id: id, access_key: key } = channel.reader;
    assert.deepEqual(channel, {
      channel_id: id,
      reader: { channel_id: id, access_key: key, direction: 'read' },
      writer: { channel_id: id, access_key: key, direction: 'write' },
    });
  });

  test('may say how many messages it buffers, and nothing unknown', async (t) => {
    const { send } = await start(t);
    assert.equal((await send('POST', '/v1/channels', { body: { buffer_messages: 1 } })).status, 201);
    assert.equal((await send('POST', '/v1/channels')).status, 201);
    for (const body of [{ buffer_size: 1 }, { buffer_messages: '1' }, []]) {
      assert.equal((await send('POST', '/v1/channels', { body })).json.error.code, 'invalid_request');
    }
  });

  test('is refused beyond the number of channels', async (t) => {
    const { send, create } = await start(t, { maxChannels: 1 });
    await create();
    const { status, json } = await send('POST', '/v1/channels');
    assert.deepEqual([status, json.error.code], [503, 'runtime_overloaded']);
  });

  test('is refused without the token, with a wrong key, and where the end has been taken', async (t) => {
    const { send, create, runtime } = await start(t);
    const { reader, writer } = await create();
    runtime.openChannel(reader).on('error', () => undefined);
    for (const [method, path, token, status, code] of [
      ['PUT', pathOf(writer), null, 401, 'unauthorized'],
      ['POST', '/v1/channels', null, 401, 'unauthorized'],
      ['PUT', pathOf({ ...writer, access_key: 'x' }), TOKEN, 404, 'channel_not_found'],
      ['GET', pathOf({ ...writer, channel_id: 'x' }), TOKEN, 404, 'channel_not_found'],
      ['GET', pathOf(reader), TOKEN, 409, 'channel_taken'],
      ['PUT', `/v1/channels/${writer.channel_id}`, TOKEN, 400, 'invalid_query'],
      ['GET', `${pathOf(reader)}&more=1`, TOKEN, 400, 'invalid_query'],
      ['POST', '/v1/channels?key=1', TOKEN, 400, 'invalid_query'],
      ['POST', pathOf(writer), TOKEN, 405, 'method_not_allowed'],
    ] as const) {
      const { json, ...answer } = await send(method, path, { token });
      assert.deepEqual([answer.status, json.error.code], [status, code], `${method} ${path}`);
    }
  });

  test('with HEAD takes nothing', async (t) => {
    const { port, create, runtime } = await start(t);
    const { reader } = await create();
    assert.equal((await exchange(port, head('HEAD', pathOf(reader), 'connection: close'))).status, 405);
    runtime.channels.check(reader);
  });
});
