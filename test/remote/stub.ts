// A server that speaks the worker protocol as far as a test says, and shows what a remote has sent, frame by frame.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { connectRemote } from '../../lib/remote/index.ts';
import type { Remote, RemoteOptions } from '../../lib/remote/index.ts';
import { eventually } from '../support/start-runtime.ts';

export interface StubFrame {
  type: string;
  id?: string;
  invocation_id?: string;
  function_id?: string;
  data?: unknown;
  result?: unknown;
  error?: { code: string; message: string };
}

export class StubSocket {
  readonly socket: WebSocket;
  readonly authorization: string | undefined;
  readonly path: string | undefined;
  /** As they arrived, encoded. */
  readonly texts: string[] = [];

  constructor(socket: WebSocket, path: string | undefined, authorization: string | undefined) {
    this.socket = socket;
    this.path = path;
    this.authorization = authorization;
    socket.on('message', (data: Buffer) => this.texts.push(data.toString()));
  }

  get frames(): StubFrame[] {
    return this.texts.map((text) => JSON.parse(text) as StubFrame);
  }

  /** The first frame that fits, now or later. */
  frame(fits: (frame: StubFrame) => boolean): Promise<StubFrame> {
    return eventually(() => this.frames.find(fits));
  }

  /** The call of a function. */
  call(functionId: string): Promise<StubFrame> {
    return this.frame(({ type, function_id }) => type === 'invokefunction' && function_id === functionId);
  }

  result(invocationId: string): Promise<StubFrame> {
    return this.frame((frame) => frame.type === 'invocationresult' && frame.invocation_id === invocationId);
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  answer({ invocation_id, function_id }: StubFrame, outcome: { result?: unknown; error?: unknown }): void {
    this.send({ type: 'invocationresult', invocation_id, function_id, ...outcome });
  }
}

export interface Stub {
  readonly url: string;
  readonly sockets: readonly StubSocket[];
  /** The nth connection, from 0. */
  socket(n: number): Promise<StubSocket>;
  close(): Promise<void>;
}

export interface StubOptions {
  /** Status with which an upgrade is refused; undefined accepts it. */
  readonly refuse?: () => number | undefined;
  /** Answers the probe of `ready`. Default true. */
  readonly answersProbes?: boolean;
  readonly port?: number;
}

export async function startStub(t: TestContext, options: StubOptions = {}): Promise<Stub> {
  const { refuse = () => undefined, answersProbes = true, port = 0 } = options;
  const sockets: StubSocket[] = [];
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port,
    verifyClient: (_info: unknown, done: (isAccepted: boolean, status?: number) => void) => {
      const status = refuse();
      done(status === undefined, status);
    },
  });
  server.on('connection', (socket, request) => {
    const stub = new StubSocket(socket, request.url, request.headers.authorization);
    sockets.push(stub);
    stub.send({ type: 'workerregistered', worker_id: `worker-${sockets.length}`, reattach_token: 'secret' });
    if (!answersProbes) return;
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as StubFrame;
      if (frame.type === 'invokefunction' && frame.function_id === 'engine::baggage::get_all')
        stub.answer(frame, { result: { baggage: {} } });
    });
  });
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    for (const socket of server.clients) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  };
  t.after(close);
  const socket = (n: number) => eventually(() => sockets[n]);
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets, socket, close };
}

/** A remote that comes back soon after a loss, shut down when the test ends. */
export function connect(t: TestContext, url: string, options: RemoteOptions = {}): Remote {
  const remote = connectRemote(url, { reconnectionConfig: { initialDelayMs: 1, jitterFactor: 0 }, ...options });
  t.after(() => remote.shutdown());
  return remote;
}

export async function connectStub(t: TestContext, options: RemoteOptions = {}) {
  const stub = await startStub(t);
  const remote = connect(t, stub.url, options);
  await remote.ready();
  return { stub, remote, socket: await stub.socket(0) };
}
