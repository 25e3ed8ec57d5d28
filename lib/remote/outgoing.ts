// What leaves a remote: every frame is encoded once, measured as it will travel, and sent, kept for the next connection, or refused.
// What is too large never reaches the socket: a call is refused to whoever made it, and for a result its caller gets the error instead.

import { payloadBytes } from '../protocol/payload.ts';
import { MAX_QUEUED_BYTES, MAX_QUEUED_CALLS } from './bounds.ts';
import { PayloadTooLargeError, RemoteError, TOO_LARGE, tooLargeMessage } from './errors.ts';
import type { Frame, Sdk } from './seam.ts';

const CALL = 'invokefunction';
const RESULT = 'invocationresult';
const TRIGGER_RESULT = 'triggerregistrationresult';
/** What the SDK says of itself at each connection. Nobody waits for that call, so nobody could be told; the runtime judges it. */
const INTRODUCTION = 'engine::workers::register';

export class Outgoing {
  readonly #sdk: Sdk;
  readonly #limitBytes: number;
  /** Sizes of the calls that wait for a socket, by id; by frame for those that nobody waits for. */
  readonly #queued = new Map<string | Frame, number>();
  #queuedBytes = 0;
  /** Of the call that was sent or kept last. */
  lastCallId: string | undefined;

  constructor(sdk: Sdk, limitBytes: number) {
    this.#sdk = sdk;
    this.#limitBytes = limitBytes;
  }

  /** In place of the SDK's `sendMessage`. Throws where there is nobody waiting to be told: at registrations and void calls. */
  send(type: string, message: object, skipIfClosed = false): void {
    const frame = this.#sdk.toWireFormat(type, message);
    if (type === CALL) this.lastCallId = frame.invocation_id;
    let text: string;
    try {
      text = JSON.stringify(frame);
    } catch (cause) {
      return this.#refuseUnencodable(frame, cause);
    }
    const bytes = payloadBytes(text);
    if (bytes > this.#limitBytes && frame.function_id !== INTRODUCTION) return this.#refuseOversize(frame, bytes);
    if (this.#sdk.isOpen()) this.#sdk.sendMessageRaw(text);
    // A result is of use on the connection that asked for it alone; registrations are repeated by the SDK; bindings end with their session.
    else if (!skipIfClosed && type === CALL) this.#keep(frame, bytes);
  }

  isQueued(invocationId: string): boolean {
    return this.#queued.has(invocationId);
  }

  /** The next connection has come: the SDK sends what has been kept. */
  flushed(): void {
    this.#queued.clear();
    this.#queuedBytes = 0;
  }

  /** Nobody waits for this call any more. */
  forget(invocationId: string): void {
    const bytes = this.#queued.get(invocationId);
    if (bytes === undefined) return;
    this.#queued.delete(invocationId);
    this.#queuedBytes -= bytes;
    this.#sdk.messagesToSend = this.#sdk.messagesToSend.filter((frame) => frame.invocation_id !== invocationId);
  }

  /** Ends the wait of one call. Nothing happens if it has ended before. */
  settle(invocationId: string, error: RemoteError): void {
    const waiting = this.#sdk.invocations.get(invocationId);
    this.#sdk.invocations.delete(invocationId);
    this.forget(invocationId);
    waiting?.reject(error);
  }

  #keep(frame: Frame, bytes: number): void {
    const { size } = this.#queued;
    if (size >= MAX_QUEUED_CALLS || (size > 0 && this.#queuedBytes + bytes > MAX_QUEUED_BYTES)) {
      const message = 'There is no connection, and as many calls wait for one as may.';
      return this.#refuseCall(frame, RemoteError.of('runtime_unavailable', { message, functionId: frame.function_id }));
    }
    this.#queued.set(frame.invocation_id ?? frame, bytes);
    this.#queuedBytes += bytes;
    this.#sdk.messagesToSend.push(frame);
  }

  #refuseOversize(frame: Frame, bytes: number): void {
    const error = new PayloadTooLargeError(bytes, this.#limitBytes, frame.function_id);
    if (frame.type === CALL) return this.#refuseCall(frame, error);
    if (frame.type !== RESULT && frame.type !== TRIGGER_RESULT) throw error;
    const message = tooLargeMessage(bytes, this.#limitBytes);
    this.#answer(frame, { code: TOO_LARGE, message, payload_bytes: bytes, limit_bytes: this.#limitBytes });
  }

  #refuseUnencodable(frame: Frame, cause: unknown): void {
    const message = 'The value cannot be encoded as JSON.';
    const error = RemoteError.of('invalid_input', { message, functionId: frame.function_id, cause });
    if (frame.type === CALL) return this.#refuseCall(frame, error);
    if (frame.type !== RESULT) throw error;
    this.#answer(frame, { code: 'invalid_output', message });
  }

  #refuseCall({ invocation_id: invocationId }: Frame, error: RemoteError): void {
    if (invocationId === undefined) throw error;
    this.settle(invocationId, error);
  }

  /** The error in place of an answer that cannot be sent, under the same ids. */
  #answer({ type, id, trigger_type, invocation_id, function_id }: Frame, error: object): void {
    this.#sdk.sendMessageRaw(JSON.stringify({ type, id, trigger_type, invocation_id, function_id, error }));
  }
}
