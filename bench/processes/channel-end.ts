// One end of a pipe, in a process of its own: a bare socket that sends so many messages as fast as they are taken, or that reads them and
// looks whether each is the next one.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { answerRequests } from '../support/child.ts';

export interface EndRequest {
  readonly direction: 'write' | 'read';
  readonly url: string;
  readonly messages: number;
  readonly messageBytes: number;
}

const MiB = 1_024 * 1_024;
const NORMAL = 1_000;

async function run({ direction, url, messages, messageBytes }: EndRequest): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  if (direction === 'read') return readAll(socket, messages, messageBytes);
  await once(socket, 'open');
  await writeAll(socket, messages, messageBytes);
}

async function writeAll(socket: WebSocket, messages: number, messageBytes: number): Promise<void> {
  for (let number = 0; number < messages; number++) {
    const message = Buffer.alloc(messageBytes);
    message.writeUInt32BE(number);
    if (socket.bufferedAmount < MiB) socket.send(message);
    else
      await new Promise<void>((resolve, reject) =>
        socket.send(message, (error) => (error ? reject(error) : resolve())),
      );
  }
  const closed = once(socket, 'close') as Promise<[number]>;
  socket.close(NORMAL, 'stream_complete');
  await closed;
}

function readAll(socket: WebSocket, messages: number, messageBytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let number = 0;
    socket.on('error', reject);
    socket.on('message', (message: Buffer) => {
      const isNext = message.byteLength === messageBytes && message.readUInt32BE() === number++;
      if (!isNext) reject(new Error(`message ${number - 1} is not what was sent`));
    });
    socket.on('close', (code: number) => {
      if (code === NORMAL && number === messages) resolve();
      else reject(new Error(`closed with ${code} after ${number} of ${messages} messages`));
    });
  });
}

answerRequests((request) => run(request as EndRequest));
