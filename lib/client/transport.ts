// The client's end of HTTP: one exchange at a time in, one decoded answer or one GreenroomError out.
// Two pools: asks wait at the runtime and hold a connection for as long, everything else is prompt and must not queue up
// behind them (a cancel least of all). What is pending is bounded in count and bytes; above it, a call is refused at once.

import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import type { Dispatcher } from 'undici';
import { GreenroomError } from '../errors.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { encode, requireSize } from '../protocol/payload.ts';
import { toCamelCase } from '../protocol/views.ts';
import { connectionError, decodeAnswer, errorOf, unexpected } from './answers.ts';
import type { Answer } from './answers.ts';
import { Call, CallGroup, retryAfterMs } from './call.ts';
import { readTokenFile, requireMs } from './options.ts';
import type { CallOptions, ResolvedOptions } from './options.ts';

export interface Exchange {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Begins with `/v1/`; ids in it are valid or percent-encoded. */
  readonly path: string;
  readonly body?: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** The runtime is asked to hold the answer back until there is an outcome. */
  readonly waits?: boolean;
}

/** An exchange whose bodies are streams. */
export interface Streaming {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: Readable | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** From the first packet to an open connection. The runtime is near its Backend; what takes longer is not there. */
const CONNECT_TIMEOUT_MS = 5_000;
/** An idle connection is closed before the runtime's side would do it, so that no request meets a closing one. */
const KEEP_ALIVE_MS = 4_000;
const PROMPT_CONNECTIONS = 16;
/** What an answer adds to the largest message: the envelope, or a page of 1,000 summaries. */
const ENVELOPE_MAX_BYTES = 4 * 1024 * 1024;
/** undici's word for it; whoever reads bounds what it keeps. */
const UNBOUNDED = -1;
/** How long `close` lets what was begun on behalf of aborted calls come to an end. */
const CLOSE_GRACE_MS = 1_000;
const MAX_PENDING_EXCHANGES = 16_384;
/** As many bytes as a runtime would accept. */
const MAX_PENDING_BYTES = DEFAULT_LIMITS.maxTotalBytes;

export class Transport {
  readonly #options: ResolvedOptions;
  readonly #waiting: Pool;
  readonly #prompt: Pool;
  /** Whose answers have no end that could be bounded beforehand. */
  readonly #streams: Pool;
  #token: Promise<string> | undefined;
  #pending = 0;
  #pendingBytes = 0;
  readonly #calls = new CallGroup();
  /** Calls that outlive the caller's: to cancel what was aborted. */
  readonly #backgroundCalls = new CallGroup();
  readonly #background = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    const pool = (connections: number, maxResponseSize = options.maxMessageBytes + ENVELOPE_MAX_BYTES) =>
      new Pool(options.origin, {
        connections,
        pipelining: 1, // one answer in line behind another would share its fate
        allowH2: false,
        connect: { timeout: CONNECT_TIMEOUT_MS },
        keepAliveTimeout: KEEP_ALIVE_MS,
        keepAliveMaxTimeout: KEEP_ALIVE_MS,
        maxResponseSize,
      });
    this.#waiting = pool(options.connections);
    this.#prompt = pool(PROMPT_CONNECTIONS);
    this.#streams = pool(options.connections, UNBOUNDED);
  }

  /** A call of a caller; dispose of it. */
  open(options: CallOptions, defaultTimeoutMs = this.#options.timeoutMs): Call {
    return new Call(options, requireMs('timeoutMs', options.timeoutMs ?? defaultTimeoutMs), this.#calls);
  }

  /** A call that only its time and the end of the client end. */
  openInBackground(timeoutMs: number): Call {
    return new Call({}, timeoutMs, this.#backgroundCalls);
  }

  /** Best effort: nobody waits for `work` but `close`, and nobody hears of its failure. */
  inBackground(work: Promise<unknown>): void {
    const done: Promise<void> = work
      .then(
        () => undefined,
        () => undefined, // who began it has said that it may fail
      )
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }

  /** A whole call with one kind of request in it. `isSafe`: it may be repeated; GETs always may. */
  async request(
    request: Exchange,
    options: CallOptions = {},
    isSafe = request.method === 'GET',
    defaultTimeoutMs?: number,
  ): Promise<Answer> {
    const call = this.open(options, defaultTimeoutMs);
    try {
      return await call.attempts(isSafe, () => this.exchange(call, request));
    } finally {
      call[Symbol.dispose]();
    }
  }

  /** A value as a body: encoded once, measured before it is sent. */
  encodeBody(value: unknown): Uint8Array {
    const body = Buffer.from(encode(value));
    requireSize(body.byteLength, this.#options.maxMessageBytes, 'client');
    return body;
  }

  /** Sends one request and decodes its answer, with camelCase keys. Settles with the call, whatever the connection does. */
  async exchange(call: Call, request: Exchange): Promise<Answer> {
    const bytes = request.body?.byteLength ?? 0;
    if (this.#pending >= MAX_PENDING_EXCHANGES || this.#pendingBytes + bytes > MAX_PENDING_BYTES) {
      throw GreenroomError.of('runtime_overloaded', { message: 'Too much is pending in this client.' });
    }
    this.#pending++;
    this.#pendingBytes += bytes;
    // undici lets a request that still stands in line notice its abort only when its turn comes: hence the race, and hence
    // the count is taken back when undici lets go, not when the caller does.
    const work = this.#exchange(call, request).finally(() => {
      this.#pending--;
      this.#pendingBytes -= bytes;
    });
    return call.race(work);
  }

  /**
   * Sends a body as it comes and hands out the answer as it comes; the answer begins as soon as there is some of it. Whoever reads
   * sees to the time that it takes. Rejects with the error of a runtime that refuses the request as a whole.
   */
  async stream(call: Call, { method, path, body, headers: given }: Streaming): Promise<Readable> {
    const headers: Record<string, string> = { ...given };
    headers['authorization'] = `Bearer ${await this.#readToken()}`;
    call.signal.throwIfAborted();
    try {
      const response = await this.#streams.request({
        method,
        path: this.#options.basePath + path,
        headers,
        body: body ?? null,
        signal: call.signal,
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      if (response.statusCode === 200) return response.body;
      if (response.statusCode === 401) this.#token = undefined;
      const answer = decodeAnswer(await boundedText(response.body), response.statusCode);
      throw errorOf(answer, response.statusCode, retryAfterMs(single(response.headers, 'retry-after'), Date.now()));
    } catch (cause) {
      throw connectionError(cause);
    }
  }

  get maxMessageBytes(): number {
    return this.#options.maxMessageBytes;
  }

  get timeoutMs(): number {
    return this.#options.timeoutMs;
  }

  /** Rejects what is pending with `runtime_unavailable` and ends all connections, the busy ones too. Closing twice is closing once. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const reason = GreenroomError.of('runtime_unavailable', { message: 'The client is closed.' });
    this.#calls.end(reason);
    if (this.#background.size > 0) {
      const grace = setTimeout(() => this.#backgroundCalls.end(reason), CLOSE_GRACE_MS);
      await Promise.all(this.#background);
      clearTimeout(grace);
    }
    this.#backgroundCalls.end(reason);
    await Promise.all([this.#waiting, this.#prompt, this.#streams].map((pool) => pool.destroy()));
  }

  async #exchange(call: Call, request: Exchange): Promise<Answer> {
    const headers: Record<string, string> = { accept: 'application/json', ...request.headers };
    headers['authorization'] = `Bearer ${await this.#readToken()}`;
    if (request.body !== undefined) headers['content-type'] = 'application/json';
    call.signal.throwIfAborted();
    const response = await this.#send(call, request, headers);
    const answer = decodeAnswer(response.text, response.statusCode);
    if (response.statusCode >= 200 && response.statusCode < 300) return toCamelCase(answer) as Answer;
    if (response.statusCode === 401) this.#token = undefined; // the file may hold a newer one by the next call
    throw errorOf(answer, response.statusCode, retryAfterMs(response.retryAfter, Date.now()));
  }

  async #send(call: Call, { method, path, body, waits }: Exchange, headers: Record<string, string>) {
    // Our deadline comes first; undici's own timeouts are there for the case that it does not take notice of the abort.
    const backstopMs = Math.ceil(call.remainingMs) + 1_000;
    try {
      const response = await (waits === true ? this.#waiting : this.#prompt).request({
        method,
        path: this.#options.basePath + path,
        headers,
        body: body ?? null,
        signal: call.signal,
        headersTimeout: backstopMs,
        bodyTimeout: backstopMs,
      });
      return {
        statusCode: response.statusCode,
        retryAfter: single(response.headers, 'retry-after'),
        text: await response.body.text(),
      };
    } catch (cause) {
      throw connectionError(cause);
    }
  }

  async #readToken(): Promise<string> {
    const { token, tokenFile } = this.#options;
    if (tokenFile === undefined) return token ?? '';
    this.#token ??= readTokenFile(tokenFile).catch((error: unknown) => {
      this.#token = undefined; // the runtime may yet write it
      throw error;
    });
    return this.#token;
  }
}

function single(headers: Dispatcher.ResponseData['headers'], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** The text of a short answer. Rejects with `internal` when it is longer than any. */
export async function boundedText(body: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ENVELOPE_MAX_BYTES) throw unexpected('The answer is larger than the limit.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
