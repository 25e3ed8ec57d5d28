// Clients that ask for large answers and do not read them. What they leave unread is bounded, and whoever reads is served.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { FunctionOwner } from '../../lib/functions/function.ts';
import { encode } from '../../lib/protocol/payload.ts';
import { startServer } from '../../lib/server/index.ts';
import { eventually, recordLog } from '../support/start-runtime.ts';
import { clientOf, startRuntime, TOKEN } from './support.ts';

const MiB = 1024 * 1024;
/** More than the system takes off our hands for one connection. */
const ANSWER = Buffer.from(encode('x'.repeat(14 * MiB)));
const LARGE: FunctionOwner = { ownerId: 'large', origin: 'remote', name: null, serve: async () => ANSWER };
const CALLERS = 12;

for (const [path, body] of [
  ['/v1/functions/large::answer/invoke', 'null'],
  [
    '/v1/mcp',
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'large__answer', arguments: {} } }),
  ],
] as const) {
  test(`answers of ${path} that nobody reads hold no more than the bound, and others are served`, async (t) => {
    const { log, lines } = recordLog();
    const runtime = await startRuntime(t, { maxTotalBytes: 4 * ANSWER.length });
    const server = await startServer({ runtime, token: TOKEN, log });
    t.after(() => server.close());
    runtime.functions.register(LARGE, { functionId: 'large::answer', description: null });
    const { port } = new URL(server.url);
    for (let n = 0; n < CALLERS; n++) {
      const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined);
      t.after(() => socket.destroy());
      socket.write(
        `POST ${path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${TOKEN}\r\ncontent-type: application/json\r\n` +
          `accept: application/json, text/event-stream\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    }
    const ended = (): number => lines.filter(({ fields }) => fields['code'] === 'slow_reader').length;
    await eventually(() => ended() === CALLERS - 4);
    const { status, text } = await clientOf(t, server.url).send('POST', '/v1/functions/large::answer/invoke');
    assert.deepEqual([status, text.length > ANSWER.length], [200, true]);
    // It was one more, and the oldest of those that do not read had to go for it.
    assert.equal(ended(), CALLERS - 3);
  });
}
