// Ways to have a question answered by another process over a WebSocket that it has opened: bare JSON in both directions with a map of ids,
// and a function of a remote, called through the gateway. Each starts a process of its own for the far end.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import type { EchoRemoteRequest } from '../processes/echo-remote.ts';
import { forkPeer, processUrl } from '../support/child.ts';
import { openGateway } from '../support/gateway.ts';
import type { Question } from '../support/question.ts';
import type { Contender, Running } from './contender.ts';

const START_WITHIN_MS = 20_000;
const FUNCTION_ID = 'bench::echo';

/** The least that it takes: one object each way, and the promise of whoever waits. */
export const bareSocket: Contender = {
  name: 'ws, bare JSON echo',
  start: async () => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const connected = once(server, 'connection') as Promise<[WebSocket]>;
    const far = await openFarEnd({ how: 'bare', address: { url: `ws://127.0.0.1:${port}`, token: '' } });
    const [socket] = await connected;
    const waiting = new Map<number, (answer: unknown) => void>();
    socket.on('message', (text: Buffer) => {
      const { id, result } = JSON.parse(text.toString()) as { id: number; result: unknown };
      waiting.get(id)?.(result);
      waiting.delete(id);
    });
    let lastId = 0;
    const ask = (data: Question): Promise<unknown> =>
      new Promise((resolve) => {
        const id = ++lastId;
        waiting.set(id, resolve);
        socket.send(JSON.stringify({ id, data }));
      });
    return {
      ask,
      close: async () => {
        await far.close();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  },
};

function remote(how: 'raw' | 'sdk', name: string): Contender {
  return {
    name,
    start: async (): Promise<Running> => {
      const gateway = await openGateway();
      const { functions } = gateway.runtime;
      const registered = new Promise<void>((resolve) => {
        functions.onChange(() => functions.get(FUNCTION_ID) !== undefined && resolve());
      });
      const far = await openFarEnd({ how, address: gateway.address });
      await registered;
      return {
        ask: (question) => gateway.call(FUNCTION_ID, question),
        close: async () => {
          await far.close();
          await gateway.close();
        },
      };
    },
  };
}

export const rawRemote = remote('raw', 'greenroom, remote on bare ws');
export const sdkRemote = remote('sdk', 'greenroom, remote on iii-sdk');

async function openFarEnd(request: Omit<EchoRemoteRequest, 'functionId'>): Promise<{ close(): Promise<void> }> {
  const far = forkPeer(processUrl('echo-remote'));
  try {
    await far.request({ ...request, functionId: FUNCTION_ID } satisfies EchoRemoteRequest, START_WITHIN_MS);
    return far;
  } catch (thrown) {
    await far.close();
    throw thrown;
  }
}
