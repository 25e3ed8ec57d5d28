// Frames that are not whole yet: each socket may hold one, all of them together no more than the runtime may.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { startServer } from '../../lib/server/index.ts';
import { eventually, recordLog, startRuntime } from '../support/start-runtime.ts';

const MiB = 1024 * 1024;

test('unfinished frames that fill the bound of the runtime cost the socket that holds most of them, and no other', async (t) => {
  const limits = { maxMessageBytes: 1 * MiB, maxTotalBytes: 4 * MiB, maxFrameBytes: 16 * MiB };
  const runtime = await startRuntime(t, { hosts: 0, limits });
  const { log, lines } = recordLog();
  const server = await startServer({ runtime, token: 'secret', gateway: {}, log });
  t.after(() => server.close());
  const connect = async (): Promise<WebSocket> => {
    const socket = new WebSocket(`${server.url.replace('http', 'ws')}/v1/gateway`, {
      headers: { authorization: 'Bearer secret' },
    });
    t.after(() => socket.terminate());
    await once(socket, 'open');
    return socket;
  };
  const [greedy, modest] = [await connect(), await connect()];
  greedy.on('error', () => undefined); // It writes on while it is being ended.
  const ended = once(greedy, 'close');
  modest.send(Buffer.alloc(1 * MiB), { fin: false });
  greedy.send(Buffer.alloc(8 * MiB), { fin: false });
  await ended;
  await eventually(() => runtime.peers.summaries().find(({ status }) => status === 'disconnected'));
  modest.ping();
  await once(modest, 'pong');
  assert.equal(runtime.peers.size, 1);
  assert.deepEqual(
    lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields['limit_bytes']),
    [limits.maxTotalBytes],
  );
});
