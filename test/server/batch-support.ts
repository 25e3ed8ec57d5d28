// What the tests of batches share: a runtime whose actors wait at a gate, and a batch whose lines are written as the test goes on.

import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { Limits } from '../../lib/limits.ts';
import { createRuntime } from '../../lib/runtime.ts';
import { startServer } from '../../lib/server/index.ts';
import { eventually } from '../support/start-runtime.ts';
import { ACTORS, clientOf, head, TOKEN } from './support.ts';
import type { Answer, Edge, Reply } from './support.ts';

export const ND = { 'content-type': 'application/x-ndjson' };
export const TO_E1 = '/v1/workers/e1/inputs';
const FIXTURES = new URL('../fixtures/actors/', import.meta.url);

/** Actors that wait at a gate, on a thread. */
export async function startGated(
  t: TestContext,
  limits: Partial<Limits> = {},
): Promise<Edge & { close: () => Promise<void> }> {
  const runtime = await createRuntime({ actors: [ACTORS, FIXTURES], hosts: 1, limits });
  const server = await startServer({ runtime, token: TOKEN });
  t.after(async () => {
    await server.close();
    await runtime.close({ deadlineMs: 1 });
  });
  return { runtime, ...clientOf(t, server.url), close: () => server.close() };
}

export function repliesOf(text: string): Reply[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Reply);
}

/** `ok` or the code of each line. */
export function verdicts({ text }: Answer): string[] {
  return repliesOf(text).map((reply) => (reply.error as Reply['error'] | undefined)?.code ?? 'ok');
}

/** A batch whose lines are written as the test goes on. */
export class OpenBatch {
  readonly socket: Socket;
  received = '';

  constructor(port: number, path: string, ...lines: string[]) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => undefined); // some tests are about broken connections
    this.socket.on('data', (chunk: Buffer) => (this.received += chunk.toString()));
    this.socket.write(head('POST', path, 'content-type: application/x-ndjson', 'transfer-encoding: chunked', ...lines));
  }

  write(text: string): boolean {
    return this.socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
  }

  end(): void {
    this.socket.write('0\r\n\r\n');
  }

  /** Resolves when so many receipts have come. */
  async receipts(count: number): Promise<string[]> {
    await eventually(() => this.received.split('}\n').length > count);
    return this.received.split('\n').filter((line) => line.startsWith('{'));
  }
}
