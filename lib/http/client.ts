// Sends requests with undici, through the guard. Nothing waits in a line of undici's: what a function, or an origin, may have under way is
// counted here, and one request more is refused at once. Redirects are never followed: where one leads, nobody has checked.

import type { Egress } from '../egress/egress.ts';
import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { payloadBytes } from '../protocol/payload.ts';
import { overloaded } from './body.ts';
import type { HeldBytes } from './body.ts';
import { BUSY_RETRY_MS } from './bounds.ts';
import type { HttpAnswer, HttpClient, HttpLine, HttpRequest, HttpWait } from './exchange.ts';
import { statusError } from './response.ts';
import { discard, Sending } from './sending.ts';

/** What a document is asked for with. */
const DOCUMENT_HEADERS = { accept: 'application/json, application/yaml, */*', 'accept-encoding': 'gzip, deflate, br' };

export class UndiciClient implements HttpClient {
  readonly #egress: Egress;
  readonly #limits: Limits;
  readonly #held: HeldBytes;
  /** Requests under way, by origin; one without any has no entry. */
  readonly #origins = new Map<string, number>();

  constructor({ egress, limits }: { readonly egress: Egress; readonly limits: Limits }) {
    this.#egress = egress;
    this.#limits = limits;
    this.#held = { heldBytes: 0, maxTotalBytes: limits.maxTotalBytes };
  }

  exchange(line: HttpLine, request: HttpRequest, wait: HttpWait): Promise<HttpAnswer> {
    return this.#send(line, request, wait, this.#limits.maxMessageBytes);
  }

  async fetchDocument(url: string, maxBytes: number, wait: HttpWait): Promise<HttpAnswer> {
    const request: HttpRequest = {
      method: 'GET',
      url: this.#egress.parse(url, 'public'),
      reach: 'public',
      headers: DOCUMENT_HEADERS,
      body: null,
      timeoutMs: wait.timeoutMs,
    };
    const answer = await this.#send({ inFlight: 0 }, request, wait, maxBytes);
    if (answer.status < 200 || answer.status > 299) throw statusError(answer);
    return answer;
  }

  #send(line: HttpLine, request: HttpRequest, wait: HttpWait, maxBytes: number): Promise<HttpAnswer> {
    const { origin } = request.url;
    const { body } = request;
    const bytes = typeof body === 'string' || body instanceof Uint8Array ? payloadBytes(body) : 0;
    const refusal = this.#refusal(line, origin, bytes, wait.signal);
    if (refusal !== null) {
      discard(body);
      return Promise.reject(refusal);
    }
    this.#count(line, origin, bytes, 1);
    const release = (): void => this.#count(line, origin, bytes, -1);
    const sending = new Sending({ request, wait, maxBytes, held: this.#held, release });
    sending.start(() => this.#egress.dispatcher(request.url, request.reach));
    return sending.answer;
  }

  #refusal(line: HttpLine, origin: string, bytes: number, signal: AbortSignal | undefined): GreenroomError | null {
    if (signal?.aborted === true) return GreenroomError.of('cancelled', { cause: signal.reason });
    const { maxHttpCallsPerFunction, maxHttpCallsPerOrigin } = this.#limits;
    if (line.inFlight >= maxHttpCallsPerFunction)
      return busy('The function has as many requests under way as it may.', line.inFlight, maxHttpCallsPerFunction);
    const atOrigin = this.#origins.get(origin) ?? 0;
    if (atOrigin >= maxHttpCallsPerOrigin)
      return busy('As many requests are under way to this server as may be.', atOrigin, maxHttpCallsPerOrigin);
    const { heldBytes, maxTotalBytes } = this.#held;
    return heldBytes > 0 && heldBytes + bytes > maxTotalBytes ? overloaded(this.#held) : null;
  }

  #count(line: HttpLine, origin: string, bytes: number, by: 1 | -1): void {
    line.inFlight += by;
    this.#held.heldBytes += by * bytes;
    const count = (this.#origins.get(origin) ?? 0) + by;
    if (count > 0) this.#origins.set(origin, count);
    else this.#origins.delete(origin);
  }
}

function busy(message: string, messages: number, capacity: number): GreenroomError {
  return GreenroomError.of('worker_busy', { message, details: { messages, capacity, retry_after_ms: BUSY_RETRY_MS } });
}
