// A thread with a connection of its own to `/livez`: asks again as soon as it is answered, until it is told to stop, and
// then tells the longest time that an answer took. A thread, because the test's own loop is busy with large messages.

import { once } from 'node:events';
import { connect } from 'node:net';
import { parentPort, Worker, workerData } from 'node:worker_threads';

const REQUEST = 'GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n';

/** Resolves once pings are answered; `stop` resolves to the longest answer in ms, and how many there were. */
export async function startPinging(url: string): Promise<{ stop(): Promise<{ longestMs: number; count: number }> }> {
  const thread = new Worker(new URL(import.meta.url), { workerData: Number(new URL(url).port) });
  await once(thread, 'message');
  return {
    stop: async () => {
      const answer = once(thread, 'message') as Promise<[{ longestMs: number; count: number }]>;
      thread.postMessage('stop');
      const [figures] = await answer;
      await thread.terminate();
      return figures;
    },
  };
}

async function ping(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true);
  let [longestMs, count] = [0, 0];
  parentPort?.once('message', () => parentPort?.postMessage({ longestMs, count }));
  for (;;) {
    const sentAtMs = performance.now();
    socket.write(REQUEST);
    await once(socket, 'data');
    if (count++ === 0) parentPort?.postMessage('pinging');
    else longestMs = Math.max(longestMs, performance.now() - sentAtMs);
  }
}

if (typeof workerData === 'number') await ping(workerData);
