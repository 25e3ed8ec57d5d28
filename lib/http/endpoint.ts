// Where one function over HTTP is, and how it is called. Everything of it is private: the registry hands its entries to whoever lists
// functions, and neither the URL nor a header nor the name of a variable is theirs to see.

import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Egress, Reach } from '../egress/egress.ts';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { FunctionCall, FunctionServer, RegisteredFunction } from '../functions/function.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { withoutCaller } from '../protocol/caller.ts';
import { invocationTooLarge, payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { within } from '../protocol/waits.ts';
import { authorize, timestampNow } from './auth.ts';
import type { HttpDefinition } from './definition.ts';
import type { HttpClient, HttpLine } from './exchange.ts';
import { asHeaderValue, isTraceparent } from './headers.ts';
import type { Headers } from './headers.ts';
import { toPayload } from './response.ts';
import type { CheckPayload } from './response.ts';

export interface EndpointParts {
  readonly egress: Egress;
  readonly client: HttpClient;
  readonly limits: Limits;
  checkPayload: CheckPayload;
}

export interface Destination {
  /** Has been checked. */
  readonly url: URL;
  readonly reach: Reach;
}

export class Endpoint implements FunctionServer {
  readonly #parts: EndpointParts;
  readonly #definition: HttpDefinition;
  readonly #destination: Destination;
  readonly #line: HttpLine = { inFlight: 0 };
  /** Its id, as a header. */
  readonly #path: string;
  readonly #hasHeaders: boolean;

  constructor(functionId: string, definition: HttpDefinition, destination: Destination, parts: EndpointParts) {
    this.#parts = parts;
    this.#definition = definition;
    this.#destination = destination;
    this.#path = asHeaderValue(functionId);
    this.#hasHeaders = Object.keys(definition.headers).length > 0;
  }

  /** Not async where nothing has to be waited for but the answer: each promise more costs every call turns of the microtask queue. */
  serve(_fn: RegisteredFunction, call: FunctionCall): Promise<Payload> {
    const { maxMessageBytes } = this.#parts.limits;
    const { payload, signal } = call;
    const endsAt = performance.now() + call.timeoutMs;
    if (signal?.aborted === true) return Promise.reject(GreenroomError.of('cancelled', { cause: signal.reason }));
    const bytes = payloadBytes(payload);
    if (bytes > maxMessageBytes) return Promise.reject(invocationTooLarge(bytes, maxMessageBytes));
    try {
      const body = withoutCaller(payload);
      if (body instanceof Promise) return body.then((stripped) => this.#exchange(stripped, call, endsAt));
      return this.#exchange(body, call, endsAt);
    } catch (thrown) {
      return Promise.reject(asGreenroomError(thrown));
    }
  }

  #exchange(body: Payload, { traceparent, signal }: FunctionCall, endsAt: number): Promise<Payload> {
    const { client, checkPayload } = this.#parts;
    const { url, reach } = this.#destination;
    const { method, timeoutMs } = this.#definition;
    const left = (): number => Math.max(1, endsAt - performance.now());
    const request = { url, reach, method, headers: this.#headersOf(traceparent, body), body, timeoutMs };
    return client.exchange(this.#line, request, { timeoutMs: left(), signal }).then((answer) => {
      if (answer.body.length <= INLINE_PARSE_BYTES) return toPayload(answer, checkPayload);
      // A large answer is checked on a thread, which may be busy.
      return within(left(), [signal], async () => toPayload(answer, checkPayload));
    });
  }

  #headersOf(traceparent: string | undefined, body: Payload): Headers {
    const { auth, headers: given } = this.#definition;
    const headers: Headers = {
      'content-type': 'application/json',
      'x-iii-function-path': this.#path,
      'x-iii-invocation-id': randomUUID(),
      'x-iii-timestamp': timestampNow(),
    };
    if (traceparent !== undefined && isTraceparent(traceparent)) headers['traceparent'] = traceparent;
    // An object that is written down costs a fifth of one that is put together.
    if (this.#hasHeaders) Object.assign(headers, given);
    if (auth !== null) authorize(headers, body, auth, this.#parts.egress);
    return headers;
  }
}
