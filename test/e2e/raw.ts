// Raw connections to a runtime: what no HTTP client would send, and what one would not let be seen.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Ready } from '../cli/harness.ts';

export function open({ url }: Pick<Ready, 'url'>): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  // A reset by the server is an end like any other; what counts is what was said before.
  socket.on('error', () => undefined);
  return socket;
}

export function head(ready: Ready, line: string, ...headers: string[]): string {
  const token = readFileSync(ready.token_file, 'utf8').trim();
  const fixed = ['host: localhost', `authorization: Bearer ${token}`, 'content-type: application/json'];
  return [`${line} HTTP/1.1`, ...fixed, ...headers, '', ''].join('\r\n');
}

/** A whole request with a body. */
export function request(ready: Ready, line: string, body: string, ...headers: string[]): string {
  return head(ready, line, `content-length: ${Buffer.byteLength(body)}`, ...headers) + body;
}

/** Everything that comes back, until the server closes. */
export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

/** Writes, and waits until the other side has room again. */
export async function send(socket: Socket, bytes: string | Uint8Array): Promise<void> {
  if (socket.destroyed || socket.write(bytes)) return;
  await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
}

/** One chunk of a body whose length is not declared. */
export function chunk(bytes: string): string {
  return `${Buffer.byteLength(bytes).toString(16)}\r\n${bytes}\r\n`;
}
