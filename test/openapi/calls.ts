// Operations that are called for real: through the guard and the client, to a server that keeps every byte of what it got.

import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { Response } from 'undici';
import { Channels } from '../../lib/channels/channels.ts';
import { openChannel } from '../../lib/channels/open.ts';
import type { Readable } from 'node:stream';
import { Guard } from '../../lib/egress/guard.ts';
import type { FunctionCall, RegisteredFunction } from '../../lib/functions/function.ts';
import { UndiciClient } from '../../lib/http/client.ts';
import { resolveLimits } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';
import type { Operation, OperationBody, Parameter, SecurityScheme } from '../../lib/openapi/operation.ts';
import { PreparedOperations } from '../../lib/openapi/prepared.ts';
import type { Auth } from '../../lib/openapi/security.ts';
import { OperationServer } from '../../lib/openapi/server.ts';
import { parseUntrusted } from '../../lib/protocol/json.ts';
import { payloadText } from '../../lib/protocol/payload.ts';

export const LONG_MS = 60_000;
export const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n';

export interface Recorder {
  readonly url: string;
  /** Request line and headers of each request. */
  readonly heads: string[];
  /** What followed, of the last request: whole when it was answered. */
  body(): Buffer;
  connections(): number;
}

/** Answers every request with the same bytes when its body has come whole, and closes the connection. */
export async function record(t: TestContext, answer: string | Buffer = NO_CONTENT): Promise<Recorder> {
  const heads: string[] = [];
  let body: Buffer = Buffer.alloc(0);
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    let got: Buffer = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      got = Buffer.concat([got, chunk]);
      const end = got.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = got.toString('latin1', 0, end);
      body = got.subarray(end + 4);
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
      const isWhole = /^transfer-encoding: chunked/im.test(head)
        ? body.subarray(-5).equals(Buffer.from('0\r\n\r\n'))
        : body.length >= length;
      if (!isWhole) return;
      heads.push(head);
      socket.end(answer);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heads,
    body: () => body,
    connections: () => connections,
  };
}

export interface Got {
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** Reads each body whole, chunked or not. */
export async function receive(t: TestContext) {
  const got: Got[] = [];
  const server = createHttpServer((request, response) => {
    void buffer(request).then(
      (body) => {
        got.push({ headers: request.headers, body });
        response.writeHead(204).end();
      },
      () => response.destroy(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, got };
}

/** The fields of a form, and name, type and text of its files, as somebody else's parser finds them. */
export async function fieldsOf({ headers, body }: Got): Promise<[string, unknown][]> {
  const form = await new Response(body, { headers: { 'content-type': headers['content-type'] ?? '' } }).formData();
  return Promise.all(
    [...form].map(async ([name, value]): Promise<[string, unknown]> =>
      typeof value === 'string' ? [name, value] : [name, [value.name, value.type, await value.text()]],
    ),
  );
}

export function answerOf(contentType: string | null, body: string | Buffer, status = '200 OK'): Buffer {
  const type = contentType === null ? '' : `Content-Type: ${contentType}\r\n`;
  const bytes = Buffer.from(body as string);
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${type}Content-Length: ${bytes.length}\r\n\r\n`), bytes]);
}

export function parameter(given: Partial<Parameter> & Pick<Parameter, 'name' | 'in'>): Parameter {
  const style = given.style ?? (given.in === 'path' || given.in === 'header' ? 'simple' : 'form');
  const explode = style === 'form';
  return { required: false, style, explode, allowReserved: false, contentType: null, ...given };
}

export function bodyOf(given: Partial<OperationBody> & Pick<OperationBody, 'kind' | 'contentType'>): OperationBody {
  return { required: false, encoding: {}, files: [], ...given };
}

export function operationOf(given: Partial<Operation> = {}): Operation {
  return {
    label: 'GET /',
    method: 'GET',
    baseUrl: 'http://127.0.0.1',
    path: '/',
    parameters: [],
    body: null,
    accepts: [],
    security: [],
    isDeprecated: false,
    tags: [],
    ...given,
  };
}

export interface CallSettings {
  readonly schema?: unknown;
  readonly limits?: Partial<Limits>;
  readonly schemes?: Readonly<Record<string, SecurityScheme>>;
  readonly auth?: Auth;
  readonly headers?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
}

export function startCalls(t: TestContext, settings: CallSettings = {}) {
  const limits = resolveLimits(settings.limits);
  const { environment = {} } = settings;
  const egress = new Guard({ allowAddresses: ['127.0.0.1'], variables: ['*'], environment }, limits);
  const channels = new Channels(limits);
  t.after(async () => {
    await egress.close();
    channels.closeAll();
  });
  const client = new UndiciClient({ egress, limits });
  const checked: number[] = [];
  const ended: AbortSignal = new AbortController().signal;
  const parts = {
    client,
    prepared: new PreparedOperations(),
    ended,
    request: {
      headers: settings.headers ?? {},
      timeoutMs: LONG_MS,
      openReader: (ref: Parameters<typeof openChannel>[1]) => openChannel(channels, ref) as Readable,
      schemes: settings.schemes ?? {},
      auth: settings.auth ?? {},
      secret: (variable: string) => egress.secret(variable),
    },
    response: {
      maxBytes: limits.maxMessageBytes,
      checkPayload: (bytes: Uint8Array): void => {
        checked.push(bytes.byteLength);
        parseUntrusted(bytes);
      },
    },
  };
  const serverOf = (operation: Operation, schema: unknown = settings.schema ?? {}): OperationServer =>
    new OperationServer({ operation: JSON.stringify(operation), requestFormat: JSON.stringify(schema) }, parts);
  /** What the function answers, decoded. A string is sent as the payload that it is. */
  const call = async (operation: Operation, payload: unknown, more: Partial<FunctionCall> = {}): Promise<unknown> =>
    JSON.parse(payloadText(await serve(serverOf(operation), payload, more))) as unknown;
  return { call, serverOf, channels, parts, checked, egress, client, limits };
}

export function serve(server: OperationServer, payload: unknown, more: Partial<FunctionCall> = {}) {
  return server.serve({} as RegisteredFunction, {
    payload: typeof payload === 'string' || payload instanceof Uint8Array ? payload : JSON.stringify(payload),
    metadata: null,
    caller: { workerId: null },
    timeoutMs: LONG_MS,
    ...more,
  });
}

/** Paths and messages of an `invalid_input`; anything else as it is, so that the assertion shows it. */
export function issuesOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((error: { code: string; details?: { issues: { path: string; message: string }[] } }) =>
    error.code === 'invalid_input'
      ? (error.details?.issues.map(({ path, message }) => `${path}: ${message}`) ?? [])
      : error,
  );
}
