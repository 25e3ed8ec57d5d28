// What the tests of the HTTP edge share: a real runtime behind a real server on a free port, a client that hides nothing,
// and a raw socket for what no client would send.

import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { Agent, request } from 'undici';
import type { Limits } from '../../lib/limits.ts';
import type { Logger } from '../../lib/observe/log.ts';
import { createRuntime } from '../../lib/runtime.ts';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import { startServer } from '../../lib/server/index.ts';
import { storeOfTests } from '../support/start-runtime.ts';

export const TOKEN = 'a-token-for-tests';
export const ACTORS = new URL('../../actors/', import.meta.url);

/** What the routes answer with, as far as the tests look; each answer has one of these nouns. */
export interface Reply {
  error: { code: string; message: string; retryable: boolean; details: Details };
  worker: {
    worker_id: string;
    status: string;
    created_at: string;
    host_id: string;
    awake: { reasons: string[]; kept: string[]; hibernates_at: string | null } | null;
    first_sequence: number;
    last_sequence: number;
  };
  workers: { worker_id: string }[];
  next_after: string | null;
  ack: { worker_id: string; input_id: string; status: string; position: number; effect: string; durability: string };
  result: Ended;
  input: Ended & { worker_id: string; status: string; accepted_at: string };
  transcript: {
    worker_id: string;
    items: { sequence: number; at: string; type: string; data: unknown }[];
    first_sequence: number;
    next_after: number;
    has_more: boolean;
  };
  runtime: {
    runtime_id: string;
    store: string;
    storage: object | null;
    status: string;
    workers: object;
    mailbox: object;
    limits: Record<string, number>;
    hosts: unknown[];
    functions: number;
    remotes: object;
  };
  report: { finished: number; killed: number; unclean: { worker_id: string; reason: string }[]; unclean_total: number };
  actors: { kind: string; input_schema: { properties: Record<string, unknown> } }[];
}

interface Details {
  issues: { path: string; message: string }[];
  payload_bytes: number | null;
}

interface Ended {
  input_id: string;
  outcome: string;
  output?: unknown;
  error: { code: string };
  started_at: string;
  ended_at: string;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /** Undefined behind the type when there is no body. */
  json: Reply;
}

export interface SendOptions {
  headers?: Record<string, string>;
  /** Objects are encoded; text and bytes are sent as they are. */
  body?: unknown;
  /** Null: without a credential. */
  token?: string | null;
}

export interface Edge {
  runtime: Runtime;
  url: string;
  port: number;
  send: (method: string, path: string, options?: SendOptions) => Promise<Answer>;
  /** Creates a worker and returns its id. */
  worker: (kind: string, workerId: string, config?: unknown) => Promise<string>;
}

export async function startRuntime(
  t: TestContext,
  limits: Partial<Limits> = {},
  more: Partial<RuntimeOptions> = {},
): Promise<Runtime> {
  const own = { actors: [ACTORS], hosts: 0, limits: { cancelGraceMs: 1_000, ...limits } };
  const runtime = await createRuntime({ ...own, ...storeOfTests(t), ...more });
  t.after(() => runtime.close({ deadlineMs: 1 }));
  return runtime;
}

export async function startEdge(
  t: TestContext,
  limits: Partial<Limits> = {},
  log?: Logger,
  more: Partial<RuntimeOptions> = {},
): Promise<Edge> {
  const runtime = await startRuntime(t, limits, more);
  const server = await startServer({ runtime, token: TOKEN, ...(log && { log }) });
  t.after(() => server.close());
  return { runtime, ...clientOf(t, server.url) };
}

export function clientOf(t: TestContext, url: string): Omit<Edge, 'runtime'> {
  const dispatcher = new Agent({ pipelining: 1 });
  t.after(() => dispatcher.destroy());
  const send: Edge['send'] = async (method, path, { headers = {}, body, token = TOKEN } = {}) => {
    const encoded = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    const response = await request(new URL(url).origin + path, {
      method: method as 'GET',
      dispatcher,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(encoded !== undefined && { body: encoded }),
    });
    const text = await response.body.text();
    return {
      status: response.statusCode,
      headers: response.headers,
      text,
      // A batch has many, and so has a stream of events; their tests take them apart.
      json: /^(?:application\/x-ndjson|text\/event-stream)/.test(String(response.headers['content-type']))
        ? (undefined as never)
        : parseReply(text),
    };
  };
  const worker: Edge['worker'] = async (kind, workerId, config) => {
    const { status, text } = await send('POST', '/v1/workers', { body: { kind, worker_id: workerId, config } });
    if (status !== 201) throw new Error(text);
    return workerId;
  };
  return { url, port: Number(new URL(url).port), send, worker };
}

/** Writes the chunks to a fresh connection and returns everything that came back until the server closed it. */
export async function exchange(port: number, ...chunks: (string | Buffer)[]): Promise<Answer> {
  const socket = connect(port, '127.0.0.1');
  const received: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  // The server may close while we are still sending; what counts is what it said before.
  socket.on('error', () => undefined);
  for (const chunk of chunks) socket.write(chunk);
  await new Promise((resolve) => socket.once('close', resolve));
  return parseAnswer(Buffer.concat(received).toString());
}

function parseReply(text: string): Reply {
  return (text === '' ? undefined : JSON.parse(text)) as Reply;
}

function parseAnswer(raw: string): Answer {
  const end = raw.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = raw.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const text = raw.slice(end + 4);
  return { status: Number(statusLine.split(' ')[1]), headers, text, json: parseReply(text) };
}

/** Head of a raw request with the token. */
export function head(method: string, path: string, ...lines: string[]): string {
  return [`${method} ${path} HTTP/1.1`, 'host: localhost', `authorization: Bearer ${TOKEN}`, ...lines, '', ''].join(
    '\r\n',
  );
}

/** Runs until it is cancelled, when sent to `digest`. */
export const ENDLESS = { text: 'x', rounds: 1_000_000_000 };
