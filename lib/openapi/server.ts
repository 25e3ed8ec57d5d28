// Answers the calls of one operation: payload, request, answer, value. There is one for each of thousands of operations, so it holds texts
// and what it shares with the others of its source. Nothing of it shows: what a function is made of is nobody's business.

import type { FunctionCall, FunctionServer, RegisteredFunction } from '../functions/function.ts';
import type { HttpClient, HttpLine } from '../http/exchange.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import type { Payload } from '../protocol/payload.ts';
import { within } from '../protocol/waits.ts';
import { MAX_BODY_GROWTH } from './bounds.ts';
import { checkedBody, writeBody } from './bodies.ts';
import { checkLarge } from './checking.ts';
import { readEnvelope } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import type { PreparedOperation, PreparedOperations, OperationTexts } from './prepared.ts';
import { requestOf } from './request.ts';
import type { RequestParts } from './request.ts';
import { valueOf } from './responses.ts';
import type { ResponseParts } from './responses.ts';
import type { WrittenBody } from './written-body.ts';

/** What the operations of one source share. */
export interface OperationParts {
  readonly client: HttpClient;
  readonly prepared: PreparedOperations;
  /** Aborted when the runtime ends; its reason is the GreenroomError that calls reject with. */
  readonly ended: AbortSignal;
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
    const { client, prepared, ended, request: requestParts, response } = this.#parts;
    const leftMs = (): number => Math.max(1, endsAtMs - performance.now());
    const signals = [ended, call.signal];
    const envelope = await readEnvelope(call.payload);
    const known = prepared.get(this.#texts);
    const body = await this.#checked(known, envelope, leftMs(), signals);
    const { parameters } = envelope;
    const request = requestOf(known.operation, { parameters, body }, requestParts, call.traceparent);
    const answer = await client.exchange(this.#line, request, { timeoutMs: leftMs(), signal: call.signal });
    if (answer.body.length <= INLINE_PARSE_BYTES) return valueOf(answer, response);
    // A large answer is checked on a thread, which may be busy.
    return within(leftMs(), signals, () => valueOf(answer, response));
  }

  /** Large bodies are checked, and written, in the thread; JSON is sent as it came all the same. */
  async #checked(
    { operation, schema }: PreparedOperation,
    { parameters, body: given }: Envelope,
    timeoutMs: number,
    signals: readonly (AbortSignal | undefined)[],
  ): Promise<WrittenBody | null> {
    const { body } = operation;
    const maxBytes = MAX_BODY_GROWTH * this.#parts.response.maxBytes;
    if (given === null || given.bytes.byteLength <= INLINE_PARSE_BYTES) {
      return checkedBody({ schema, body, maxBytes }, parameters, given);
    }
    const { requestFormat } = this.#texts;
    const large = { requestFormat, body, maxBytes, parameters, bytes: given.bytes };
    const written = await within(timeoutMs, signals, (ended) => checkLarge(large, ended));
    return written ?? writeBody(body, given, maxBytes);
  }
}
