import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { startServer } from '../../lib/server/index.ts';
import { startRuntime } from '../support/start-runtime.ts';

const KiB = 1_024;
const MiB = 1_024 * KiB;
const TOKEN = 'a-token-of-the-wire';
/** More than the buffers of both ends of a loopback socket hold. */
const FRAME_BYTES = 128 * MiB;
const PIECE_BYTES = 256 * KiB;
const TEXT_FRAME = 0x81;
const CLOSE_FRAME = 0x88;
const MASKED_LENGTH_64 = 0xff;
const TOO_BIG = 1009;

/** A socket whose upgrade has been accepted, with nothing around it that would read or write by itself. */
async function upgrade(url: string): Promise<Socket> {
  const headers = {
    authorization: `Bearer ${TOKEN}`,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
  };
  const asked = request(`${url}/v1/gateway`, { headers });
  asked.end();
  const [, socket] = (await once(asked, 'upgrade')) as [IncomingMessage, Socket, Buffer];
  return socket;
}

test('the rest of a frame above the hard cap is not read: it is refused by its head', async (t) => {
  const limits = { maxMessageBytes: 64 * KiB, maxFrameBytes: 128 * KiB };
  const runtime = await startRuntime(t, { limits });
  const server = await startServer({ runtime, token: TOKEN, gateway: {} });
  t.after(() => server.close());
  const socket = await upgrade(server.url);
  const received: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  socket.on('error', () => undefined); // It is reset, with most of the frame unread.

  const head = Buffer.alloc(14);
  head[0] = TEXT_FRAME;
  head[1] = MASKED_LENGTH_64;
  head.writeBigUInt64BE(BigInt(FRAME_BYTES), 2);
  socket.write(head);
  let takenBytes = 0;
  for (let bytes = 0; bytes < FRAME_BYTES; bytes += PIECE_BYTES) {
    socket.write(Buffer.alloc(PIECE_BYTES), (error) => (takenBytes += error ? 0 : PIECE_BYTES));
  }
  await new Promise((resolve) => socket.once('close', resolve));

  const answer = Buffer.concat(received);
  const close = answer.indexOf(CLOSE_FRAME);
  assert.equal(answer.readUInt16BE(close + 2), TOO_BIG);
  assert.ok(takenBytes < FRAME_BYTES / 2, `${takenBytes} bytes were taken`);
});
