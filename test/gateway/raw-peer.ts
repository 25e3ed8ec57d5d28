// What the tests of the gateway share: a real server with the gateway on, and a peer that says exactly what it is told to say:
// a raw WebSocket without an SDK around it, since no SDK would send what most of these tests send.

import type { TestContext } from 'node:test';
import { WebSocket } from 'ws';
import type { ClientOptions, RawData } from 'ws';
import type { GatewayOptions } from '../../lib/access/options.ts';
import type { EgressOptions } from '../../lib/egress/egress.ts';
import type { Limits } from '../../lib/limits.ts';
import { startServer } from '../../lib/server/index.ts';
import type { RunningServer } from '../../lib/server/index.ts';
import type { Runtime } from '../../lib/runtime.ts';
import { clientOf, startRuntime, TOKEN } from '../server/support.ts';
import type { Edge } from '../server/support.ts';
import { recordLog } from '../support/start-runtime.ts';

/** A frame as it came, parsed. */
export interface Frame {
  type: string;
  invocation_id?: string;
  function_id?: string;
  data?: unknown;
  result?: unknown;
  error?: { code: string; message: string; [detail: string]: unknown };
  [member: string]: unknown;
}

/** `host` is where the server is looked for. Default 127.0.0.1. */
export type PeerOptions = Omit<ClientOptions, 'host'> & { readonly path?: string; readonly host?: string };

export interface GatewayEdge extends Edge {
  server: RunningServer;
  log: ReturnType<typeof recordLog>['lines'];
  /** Resolves when the session is open. */
  connect: (options?: PeerOptions) => Promise<RawPeer>;
}

export interface GatewaySetup {
  readonly limits?: Partial<Limits>;
  readonly gateway?: GatewayOptions;
  /** Where the server listens. Default 127.0.0.1. */
  readonly host?: string;
  readonly http?: EgressOptions;
}

export async function startGateway(
  t: TestContext,
  { limits, gateway = {}, host, http }: GatewaySetup = {},
): Promise<GatewayEdge> {
  const runtime: Runtime = await startRuntime(t, limits, { http });
  const { log, lines } = recordLog();
  const server = await startServer({ runtime, token: TOKEN, log, gateway, ...(host !== undefined && { host }) });
  t.after(() => server.close());
  const client = clientOf(t, server.url);
  const connect: GatewayEdge['connect'] = async (options) => {
    const peer = new RawPeer(client.port, options);
    t.after(() => peer.socket.terminate());
    await peer.ready;
    return peer;
  };
  return { runtime, server, log: lines, ...client, connect };
}

export class RawPeer {
  readonly socket: WebSocket;
  /** Everything that came and that nobody waited for. */
  readonly frames: Frame[] = [];
  /** Resolves with the close code and reason. */
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Resolves with the first frame that says who the session is. */
  readonly ready: Promise<void>;
  workerId = '';
  token = '';
  readonly #waiting: {
    fits: (frame: Frame) => boolean;
    resolve: (frame: Frame) => void;
    reject: (e: Error) => void;
  }[] = [];
  readonly #handlers = new Map<string, (call: Frame) => unknown>();
  #calls = 0;

  constructor(port: number, { path = '/v1/gateway', host = '127.0.0.1', ...options }: PeerOptions = {}) {
    this.socket = new WebSocket(`ws://${host}:${port}${path}`, {
      perMessageDeflate: false,
      maxPayload: 0,
      ...options,
      headers: { authorization: `Bearer ${TOKEN}`, ...options.headers },
    });
    this.socket.on('message', (data: RawData) => this.#take(JSON.parse((data as Buffer).toString()) as Frame));
    this.socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code: number, reason: Buffer) => {
        for (const { reject } of this.#waiting.splice(0)) reject(new Error(`closed with ${code}`));
        resolve({ code, reason: reason.toString() });
      });
    });
    this.ready = this.next(({ type }) => type === 'workerregistered').then((frame) => {
      this.workerId = frame['worker_id'] as string;
      this.token = frame['reattach_token'] as string;
    });
    // A peer that is refused is told so by `closed`.
    this.ready.catch(() => undefined);
  }

  /** Objects are encoded; text and bytes are sent as they are, in one frame. */
  send(frame: object | string | Buffer): void {
    if (typeof frame === 'string') this.socket.send(frame);
    else if (Buffer.isBuffer(frame)) this.socket.send(frame, { binary: true });
    else this.socket.send(JSON.stringify(frame));
  }

  /** The first frame that fits, whether it has come already or not. */
  next(fits: (frame: Frame) => boolean): Promise<Frame> {
    const place = this.frames.findIndex(fits);
    if (place !== -1) return Promise.resolve(this.frames.splice(place, 1)[0] as Frame);
    return new Promise((resolve, reject) => this.#waiting.push({ fits, resolve, reject }));
  }

  /** Resolves when the server has handled everything that was sent before. */
  async fence(): Promise<void> {
    this.send({ type: 'ping' });
    await this.next(({ type }) => type === 'pong');
  }

  /** Registers the function and answers its calls with what the handler returns. */
  async serve(functionId: string, handler?: (call: Frame) => unknown): Promise<void> {
    if (handler !== undefined) this.#handlers.set(functionId, handler);
    this.send({ type: 'registerfunction', id: functionId });
    await this.fence();
  }

  /** Resolves with the frame of the answer. */
  call(functionId: string, data: unknown = null, more: object = {}): Promise<Frame> {
    const id = `call-${++this.#calls}`;
    this.send({ type: 'invokefunction', invocation_id: id, function_id: functionId, data, ...more });
    return this.next((frame) => frame.type === 'invocationresult' && frame.invocation_id === id);
  }

  answer({ invocation_id, function_id }: Frame, result: unknown): void {
    this.send({ type: 'invocationresult', invocation_id, function_id, result });
  }

  /** The next call that no handler takes. */
  nextCall(): Promise<Frame> {
    return this.next(({ type }) => type === 'invokefunction');
  }

  async end(): Promise<void> {
    this.socket.close();
    await this.closed;
  }

  /** Without a close frame. */
  async drop(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }

  #take(frame: Frame): void {
    const handler = frame.type === 'invokefunction' ? this.#handlers.get(frame.function_id ?? '') : undefined;
    if (handler !== undefined) return void this.answer(frame, handler(frame));
    const place = this.#waiting.findIndex(({ fits }) => fits(frame));
    if (place === -1) this.frames.push(frame);
    else this.#waiting.splice(place, 1)[0]?.resolve(frame);
  }
}
