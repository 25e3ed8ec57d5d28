// One exchange on its way: its attempts, its time and its caller's signal. Its caller is told how it ends once, and at once; its place is
// given back when the last connection has let go of it, so that what nobody waits for any more still counts as under way.

import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import { jittered } from '../protocol/waits.ts';
import { AnswerBody } from './body.ts';
import type { HeldBytes } from './body.ts';
import { MAX_ATTEMPTS, RETRY_BACKOFF_MS } from './bounds.ts';
import type { HttpAnswer, HttpRequest, HttpWait } from './exchange.ts';
import { failureOf, requestFailed } from './failures.ts';

type Controller = Dispatcher.DispatchController;
type IncomingHeaders = Record<string, string | string[] | undefined>;

/** Methods that may be sent twice without doing twice what they do. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']);

export interface SendingParts {
  readonly request: HttpRequest;
  readonly wait: HttpWait;
  readonly maxBytes: number;
  readonly held: HeldBytes;
  /** Called once, when no connection is busy with it any more. */
  release(): void;
}

export class Sending implements Dispatcher.DispatchHandler {
  readonly answer: Promise<HttpAnswer>;
  readonly #parts: SendingParts;
  readonly #timer: NodeJS.Timeout;
  #dispatcher: Dispatcher | null = null;
  #resolve!: (answer: HttpAnswer) => void;
  #reject!: (error: GreenroomError) => void;
  /** Its caller has been told. */
  #isOver = false;
  /** A connection is busy with it, or is being made for it. */
  #isOnWire = false;
  #attempts = 0;
  #pause: NodeJS.Timeout | null = null;
  #controller: Controller | null = null;
  #head: Omit<HttpAnswer, 'body'> | null = null;
  #body: AnswerBody | null = null;

  constructor(parts: SendingParts) {
    this.#parts = parts;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    const { wait, request } = parts;
    this.#timer = setTimeout(this.#onTime, Math.min(wait.timeoutMs, request.timeoutMs));
    wait.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Never throws; what goes wrong is the answer. */
  start(find: () => Dispatcher | Promise<Dispatcher>): void {
    const failed = (thrown: unknown): void => this.#fail(asGreenroomError(thrown));
    const begin = (dispatcher: Dispatcher): void => {
      this.#dispatcher = dispatcher;
      this.#attempt();
    };
    try {
      const dispatcher = find();
      // Not awaited where it is there: that would cost every request three turns of the microtask queue.
      if (dispatcher instanceof Promise) dispatcher.then(begin, failed);
      else begin(dispatcher);
    } catch (thrown) {
      failed(thrown);
    }
  }

  #attempt(): void {
    this.#pause = null;
    // Its time may be up before there was anything to send it with.
    if (this.#isOver || this.#dispatcher === null) return;
    this.#attempts++;
    this.#isOnWire = true;
    this.#controller = null;
    const { url, method, headers, body } = this.#parts.request;
    const options: Dispatcher.DispatchOptions = {
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers,
      body,
      // The timer of the exchange bounds both.
      headersTimeout: 0,
      bodyTimeout: 0,
      // A body with a GET or a DELETE would otherwise cost the connection; after a HEAD some servers send a body nevertheless.
      reset: method === 'HEAD',
    };
    try {
      this.#dispatcher.dispatch(options, this);
    } catch (thrown) {
      this.onResponseError(null, thrown);
    }
  }

  // --- what undici calls ---

  onRequestStart(controller: Controller): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error('nobody waits for the answer'));
  }

  onResponseStart(_controller: Controller, status: number, incoming: IncomingHeaders, statusText = ''): void {
    // Early hints and the like: the answer is yet to come.
    if (status < 200 || this.#isOver) return;
    const headers = joined(incoming);
    this.#head = { status, statusText, headers };
    const { maxBytes, held } = this.#parts;
    try {
      // What a HEAD says of a body is not that of this answer, which has none.
      const isBodiless = this.#parts.request.method === 'HEAD';
      this.#body = new AnswerBody(isBodiless ? {} : headers, maxBytes, held, {
        failed: (error) => this.#fail(error),
        whole: (body) => this.#succeed(body),
        drained: () => this.#controller?.resume(),
      });
    } catch (thrown) {
      this.#fail(asGreenroomError(thrown));
    }
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.#body?.push(chunk) === false) controller.pause();
  }

  onResponseEnd(): void {
    this.#isOnWire = false;
    if (this.#isOver) this.#letGo();
    else this.#body?.end();
  }

  onResponseError(_controller: unknown, thrown: unknown): void {
    if (!this.#isOnWire) return;
    this.#isOnWire = false;
    if (this.#isOver) return this.#letGo();
    const error = failureOf(thrown, this.#head !== null);
    if (this.#mayRepeat(error)) this.#repeat();
    else this.#fail(error);
  }

  #mayRepeat({ code, details }: GreenroomError): boolean {
    const { method, body } = this.#parts.request;
    const isBroken =
      code === 'http_request_failed' && (details?.['reason'] === 'refused' || details?.['reason'] === 'reset');
    return isBroken && this.#attempts < MAX_ATTEMPTS && IDEMPOTENT.has(method) && !(body instanceof Readable);
  }

  #repeat(): void {
    const backoffMs = RETRY_BACKOFF_MS * 2 ** (this.#attempts - 1);
    this.#pause = setTimeout(() => this.#attempt(), jittered(backoffMs));
  }

  // --- how it ends ---

  readonly #onTime = (): void => {
    const { wait, request } = this.#parts;
    this.#fail(
      wait.timeoutMs <= request.timeoutMs ? GreenroomError.of('timeout', TIMED_OUT) : requestFailed('timeout'),
    );
  };

  readonly #onAbort = (): void => {
    this.#fail(GreenroomError.of('cancelled', { cause: this.#parts.wait.signal?.reason }));
  };

  #succeed(body: Buffer): void {
    if (this.#isOver || this.#head === null) return;
    this.#end();
    const { status, statusText, headers } = this.#head;
    this.#resolve({ status, statusText, headers, body });
  }

  #fail(error: GreenroomError): void {
    if (this.#isOver) return;
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#parts.wait.signal?.removeEventListener('abort', this.#onAbort);
    this.#body?.drop();
    // While a connection is being made there is nothing to abort yet: `onRequestStart` does it.
    if (this.#isOnWire) this.#controller?.abort(new Error('nobody waits for the answer'));
    else this.#letGo();
  }

  #letGo(): void {
    discard(this.#parts.request.body);
    this.#parts.release();
  }
}

/** What is left of a body that is a stream and was not sent. */
export function discard(body: HttpRequest['body']): void {
  if (body instanceof Readable) body.on('error', () => undefined).destroy();
}

/** In place: the headers of an answer are nobody else's. */
function joined(incoming: IncomingHeaders): Record<string, string> {
  for (const name of Object.keys(incoming)) {
    const value = incoming[name];
    if (typeof value !== 'string') incoming[name] = value?.join(', ') ?? '';
  }
  return incoming as Record<string, string>;
}

const TIMED_OUT = { message: 'The server did not answer in time; whether the request had an effect is unknown.' };
