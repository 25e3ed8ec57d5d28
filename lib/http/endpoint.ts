// Where one function over HTTP is, and how it is called. Everything of it is private: the registry hands its entries to whoever lists
// functions, and neither the URL nor a header nor the name of a variable is theirs to see.

import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Egress, Reach } from '../egress/egress.ts';
import { GreenroomError } from '../errors.ts';
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
  /** What is the same at each call. */
  readonly #headers: Headers;

  constructor(functionId: string, definition: HttpDefinition, destination: Destination, parts: EndpointParts) {
    this.#parts = parts;
    this.#definition = definition;
    this.#destination = destination;
    this.#headers = { 'content-type': 'application/json', 'x-iii-function-path': asHeaderValue(functionId) };
  }

  async serve(_fn: RegisteredFunction, call: FunctionCall): Promise<Payload> {
    const { client, limits, checkPayload } = this.#parts;
    const { signal } = call;
    if (signal?.aborted === true) throw GreenroomError.of('cancelled', { cause: signal.reason });
    const endsAt = performance.now() + call.timeoutMs;
    const left = (): number => Math.max(1, endsAt - performance.now());
    const bytes = payloadBytes(call.payload);
    if (bytes > limits.maxMessageBytes) throw invocationTooLarge(bytes, limits.maxMessageBytes);
    const stripped = withoutCaller(call.payload);
    const body = stripped instanceof Promise ? await stripped : stripped;
    const { method, timeoutMs } = this.#definition;
    const headers = this.#headersOf(call, body);
    const request = { ...this.#destination, method, headers, body, timeoutMs };
    const answer = await client.exchange(this.#line, request, { timeoutMs: left(), signal });
    if (answer.body.length <= INLINE_PARSE_BYTES) return toPayload(answer, checkPayload);
    // A large answer is checked on a thread, which may be busy.
    return within(left(), signal, async () => toPayload(answer, checkPayload));
  }

  #headersOf({ traceparent }: FunctionCall, body: Payload): Headers {
    const { headers: given, auth } = this.#definition;
    const headers: Headers = {
      ...this.#headers,
      'x-iii-invocation-id': randomUUID(),
      'x-iii-timestamp': timestampNow(),
    };
    if (traceparent !== undefined && isTraceparent(traceparent)) headers['traceparent'] = traceparent;
    Object.assign(headers, given);
    if (auth !== null) authorize(headers, body, auth, this.#parts.egress);
    return headers;
  }
}
