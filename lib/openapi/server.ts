// Answers the calls of one operation: payload, request, answer, value. There is one for each of thousands of operations, so it holds texts
// and what it shares with the others of its source. Nothing of it shows: what a function is made of is nobody's business.

import { GreenroomError } from '../errors.ts';
import type { FunctionCall, FunctionServer, RegisteredFunction } from '../functions/function.ts';
import type { HttpClient, HttpLine, HttpRequest } from '../http/exchange.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import type { Payload } from '../protocol/payload.ts';
import { readEnvelope } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import type { PreparedOperation, PreparedOperations, OperationTexts } from './prepared.ts';
import { requestOf } from './request.ts';
import type { RequestParts } from './request.ts';
import { valueOf } from './responses.ts';
import type { ResponseParts } from './responses.ts';

/** What the operations of one source share. */
export interface OperationParts {
  readonly client: HttpClient;
  readonly prepared: PreparedOperations;
  readonly request: RequestParts;
  readonly response: ResponseParts;
}

export class OperationServer implements FunctionServer {
  readonly #texts: OperationTexts;
  readonly #parts: OperationParts;
  readonly #line: HttpLine = { inFlight: 0 };

  constructor(texts: OperationTexts, parts: OperationParts) {
    this.#texts = texts;
    this.#parts = parts;
  }

  async serve(_fn: RegisteredFunction, call: FunctionCall): Promise<Payload> {
    const endsAtMs = performance.now() + call.timeoutMs;
    const { prepared, request: requestParts } = this.#parts;
    const envelope = await readEnvelope(call.payload);
    const known = prepared.get(this.#texts);
    check(known, envelope);
    const request = requestOf(known.operation, envelope, requestParts, call.traceparent);
    return this.#exchange(request, endsAtMs, call.signal);
  }

  async #exchange(request: HttpRequest, endsAtMs: number, signal: AbortSignal | undefined): Promise<Payload> {
    const { client, response } = this.#parts;
    const leftMs = (): number => Math.max(1, endsAtMs - performance.now());
    const answer = await client.exchange(this.#line, request, { timeoutMs: leftMs(), signal });
    return within(valueOf(answer, response), leftMs(), signal);
  }
}

/**
 * Throws `invalid_input`. JSON above INLINE_PARSE_BYTES is not looked at here: it would have to be parsed on the main thread, for a check
 * that the API makes again. Bodies of other kinds have to be parsed to be sent.
 */
function check({ operation, schema }: PreparedOperation, { parameters, body }: Envelope): void {
  const isLeftOut = body !== null && operation.body?.kind === 'json' && body.bytes.byteLength > INLINE_PARSE_BYTES;
  schema.check(body === null || isLeftOut ? parameters : { ...parameters, body: body.value() }, isLeftOut);
}

/** A large answer is checked on a host, which may be busy. */
async function within<T>(result: Promise<T>, timeoutMs: number, signal: AbortSignal | undefined): Promise<T> {
  const { promise, reject } = withRejection();
  const onAbort = (): void => reject(GreenroomError.of('cancelled'));
  const timer = setTimeout(() => reject(GreenroomError.of('timeout')), timeoutMs);
  signal?.addEventListener('abort', onAbort);
  if (signal?.aborted === true) onAbort();
  try {
    return await Promise.race([result, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function withRejection(): { promise: Promise<never>; reject(error: GreenroomError): void } {
  let reject: (error: GreenroomError) => void = () => undefined;
  const promise = new Promise<never>((_resolve, rejects) => {
    reject = rejects;
  });
  return { promise, reject };
}
