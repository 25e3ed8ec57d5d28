// One remote: what it registers, the calls that it answers and those that it makes, from the moment its socket is accepted to the end of
// its cleanup. Its frames are handled strictly in order: while one has to wait (a hook, a large payload that is checked on a host),
// its socket is not read. Whatever ends it, `end` runs once, and settles everything that anybody waits for.

import { randomUUID } from 'node:crypto';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { FunctionCall, RegisteredFunction } from '../functions/function.ts';
import type { Peer } from '../functions/peers.ts';
import { invocationTooLarge, payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { PeerSummary, PeerView } from '../protocol/views.ts';
import { AskedCalls } from './asked.ts';
import { MAX_COMPLAINTS } from './bounds.ts';
import type { OutgoingFrame } from '../protocol/remote-frames.ts';
import { toErrorBody } from '../protocol/error-body.ts';
import type { DisconnectReason, GatewayServices } from './services.ts';
import { withCaller } from '../protocol/caller.ts';
import { FrameReader } from './reading.ts';
import type { Address, IncomingFrame, ResultFrame } from './reading.ts';
import { Registrations } from './registrations.ts';
import type { Policy } from '../access/policy.ts';
import type { Reach } from '../egress/egress.ts';
import type { Remote, RemoteProfile } from '../engine/remote.ts';
import { ServedCalls } from './served.ts';
import type { Wire } from './wire.ts';

/** Frames of this size are opened in one go, by the reader that all sockets share. */
const SHORT_FRAME_BYTES = 256 * 1_024;
const shared = new FrameReader();

export class Session implements Remote, Peer {
  readonly origin = 'remote';
  readonly ownerId: string = randomUUID();
  /** Whoever knows it may take this session's place. */
  readonly reattachToken: string = randomUUID();
  readonly policy: Policy;
  readonly profile: RemoteProfile = {
    name: null,
    description: null,
    runtime: null,
    version: null,
    os: null,
    pid: null,
    isolation: null,
  };
  readonly asked: AskedCalls;
  readonly #served: ServedCalls;
  readonly #registrations: Registrations;
  readonly #wire: Wire;
  readonly #services: GatewayServices;
  readonly #connectedAt = new Date().toISOString();
  /** Where its socket comes from. */
  readonly address: string | null;
  /** Frames that came while one before them has to wait; the socket is paused, so they are what one read of it held. */
  #line: Buffer[] = [];
  #isBusy = false;
  #ended: DisconnectReason | null = null;
  #complaints = 0;
  #lateResults = 0;

  constructor(wire: Wire, { policy, reach }: { policy: Policy; reach: Reach }, services: GatewayServices) {
    this.#wire = wire;
    this.address = wire.remoteAddress;
    this.policy = policy;
    this.#services = services;
    this.#served = new ServedCalls(policy.maxCallsInFlight, services.limits.maxMessageBytes, services.ledger);
    this.asked = new AskedCalls(this, wire, services);
    this.#registrations = new Registrations(this, reach, services);
  }

  get workerId(): string {
    return this.ownerId;
  }

  get name(): string | null {
    return this.profile.name;
  }

  get isEnded(): boolean {
    return this.#ended !== null;
  }

  // --- what it is sent ---

  send(frame: OutgoingFrame): boolean {
    return this.#wire.send(frame);
  }

  serve(fn: RegisteredFunction, call: FunctionCall): Promise<Payload> {
    if (this.isEnded) return Promise.reject(stopped());
    try {
      const payload = withCaller(call.payload, call.caller.workerId);
      const bytes = payloadBytes(payload);
      this.#served.requireRoom(bytes);
      if (this.#wire.isFull) throw this.#served.busy();
      const name = JSON.stringify(this.policy.toPeer(fn.functionId));
      return this.#served.begin(bytes, call, (id) => {
        const head = `{"type":"invokefunction","invocation_id":"${id}","function_id":${name},"data":`;
        this.#wire.sendParts(head, payload, `${tailOf(call)}}`);
      });
    } catch (refusal) {
      return Promise.reject(asGreenroomError(refusal));
    }
  }

  // --- what it sends ---

  /** Handles a frame, or puts it in line behind those that wait. */
  receive(source: Buffer): void {
    // While its socket closes, what still arrives is nobody's.
    if (this.isEnded) return;
    if (this.#isBusy) this.#line.push(source);
    else this.#begin(source);
  }

  #begin(source: Buffer): void {
    if (this.isEnded) return;
    const pending = this.#handle(source);
    if (pending === undefined) return;
    this.#isBusy = true;
    this.#wire.pause();
    void pending.then(() => {
      this.#isBusy = false;
      while (!this.#isBusy) {
        const next = this.#line.shift();
        if (next === undefined) return this.#wire.resume();
        this.#begin(next);
      }
    });
  }

  /** Never throws or rejects. */
  #handle(source: Buffer): void | Promise<void> {
    if (source.length > SHORT_FRAME_BYTES) return this.#handleLong(source);
    try {
      // Short, and yet so many members that the loop should have a turn.
      if (!shared.open(source)) return this.#handleLong(source);
    } catch (thrown) {
      return this.#refuse(shared.address(), thrown);
    }
    return this.#read(shared, source.length);
  }

  async #handleLong(source: Buffer): Promise<void> {
    const reader = new FrameReader();
    try {
      let isWhole = reader.open(source);
      while (!isWhole) {
        await new Promise((resolve) => setImmediate(resolve));
        isWhole = reader.goOn();
      }
    } catch (thrown) {
      return this.#refuse(reader.address(), thrown);
    }
    await this.#read(reader, source.length);
  }

  #read(reader: FrameReader, bytes: number): void | Promise<void> {
    const { maxMessageBytes } = this.#services.limits;
    if (bytes > maxMessageBytes) return this.#refuseOversize(reader.address(), bytes);
    try {
      const frame = reader.frame();
      const pending = this.#dispatch(frame);
      if (pending === undefined) return;
      const address = reader.address();
      return pending.catch((thrown: unknown) => this.#refuse(address, thrown));
    } catch (thrown) {
      this.#refuse(reader.address(), thrown);
    }
  }

  #dispatch(frame: IncomingFrame): void | Promise<void> {
    switch (frame.type) {
      case 'invokefunction':
        return this.asked.take(frame);
      case 'invocationresult':
        return this.#takeResult(frame);
      case 'registerfunction':
        return this.#registrations.register(frame);
      case 'unregisterfunction':
        return this.#registrations.unregister(frame.id);
      case 'reattach':
        return this.#services.reattach(this, frame.previousWorkerId, frame.token);
      case 'ping':
        this.send({ type: 'pong' });
        return;
      case 'ignored':
        return this.#complain('a frame of an unknown type', null);
      case 'registertriggertype':
      case 'unregistertriggertype':
      case 'registertrigger':
      case 'unregistertrigger':
      case 'triggerregistrationresult':
        return this.#services.triggers.handle(this, frame);
      default:
        return frame satisfies never;
    }
  }

  /** Only what this session was asked is taken from it: ids of other sessions' calls mean nothing here. */
  #takeResult({ invocationId, result, error }: ResultFrame): void | Promise<void> {
    if (!this.#served.has(invocationId)) {
      this.#lateResults++;
      return;
    }
    if (error !== null) {
      this.#served.fail(invocationId, GreenroomError.fromWire({ ...error, retryable: false }, statusOf(error.code)));
    } else if (typeof result === 'string') this.#served.answer(invocationId, result);
    else return this.#takeLarge(invocationId, result);
  }

  /** Rejects when the result is refused; then its call fails like that of any frame that is refused. */
  async #takeLarge(invocationId: string, result: Uint8Array): Promise<void> {
    await this.#services.checkPayload(result);
    this.#served.answer(invocationId, result);
  }

  // --- refusals ---

  /** Both who sent it and who waits for it learn that one message was too large, and nobody else notices. */
  #refuseOversize({ type, invocationId, functionId }: Address, bytes: number): void {
    const { log, limits } = this.#services;
    const { maxMessageBytes } = limits;
    if (this.#mayComplain()) {
      log.warn(
        { ...this.#traits(), frame_type: type, payload_bytes: bytes, limit_bytes: maxMessageBytes },
        'a frame above the limit was refused',
      );
    }
    const error = invocationTooLarge(bytes, maxMessageBytes);
    if (type === 'invocationresult' && invocationId !== null) this.#served.fail(invocationId, error);
    const isAnswered = type === 'invokefunction' || type === 'invocationresult';
    if (isAnswered && invocationId !== null) this.#answerError(invocationId, functionId, error);
    if (type === 'registerfunction') this.#registrations.refuse(functionId ?? '', error);
  }

  #refuse({ type, invocationId, functionId }: Address, thrown: unknown): void {
    const error = asGreenroomError(thrown);
    this.#complain('a frame was refused', error);
    if (type === 'invokefunction' && invocationId !== null) this.#answerError(invocationId, functionId, error);
    if (type === 'invocationresult' && invocationId !== null) {
      const message = `What the function answered cannot be taken: ${error.code}.`;
      this.#served.fail(invocationId, GreenroomError.of('invocation_failed', { message, cause: error }));
    }
    if (type === 'registerfunction') this.#registrations.refuse(functionId ?? '', error);
  }

  #answerError(invocationId: string, functionId: string | null, error: GreenroomError): void {
    this.send({
      type: 'invocationresult',
      invocation_id: invocationId,
      function_id: functionId ?? '',
      error: toErrorBody(error),
    });
  }

  #complain(what: string, thrown: unknown): void {
    if (!this.#mayComplain()) return;
    const code = thrown === null ? undefined : asGreenroomError(thrown).code;
    this.#services.log.warn({ ...this.#traits(), ...(code !== undefined && { code }) }, what);
  }

  #mayComplain(): boolean {
    return this.#complaints++ < MAX_COMPLAINTS;
  }

  #traits(): Record<string, unknown> {
    return { worker_id: this.ownerId, worker_name: this.name, address: this.address, policy: this.policy.name };
  }

  // --- its end ---

  /** The socket has gone, or is to go. Runs once; everything is settled when it returns. */
  end(reason: DisconnectReason, closeCode?: number): void {
    if (this.#ended !== null) return;
    this.#ended = reason;
    this.#line = [];
    if (closeCode === undefined) this.#wire.terminate();
    else this.#wire.close(closeCode, reason, reason === 'payload_too_large' || reason === 'protocol_error');
    this.#services.functions.releaseAll(this);
    this.#registrations.end();
    const error = reason === 'payload_too_large' ? TOO_LARGE_SESSION() : stopped();
    this.#served.failAll(error);
    this.#services.ended(this);
    this.#services.log[reason === 'payload_too_large' ? 'warn' : 'info'](
      {
        ...this.#traits(),
        reason,
        ...(reason === 'payload_too_large' && { limit_bytes: this.#services.limits.maxFrameBytes }),
        ...(this.#complaints > 0 && { complaints: this.#complaints }),
        ...(this.#lateResults > 0 && { late_results: this.#lateResults }),
      },
      'a remote has gone',
    );
  }

  /** Asks whether the peer is there, and gives it up if it is not. */
  ping(): void {
    const silence = this.#isBusy ? null : this.#wire.ping();
    if (silence !== null) this.end(silence);
  }

  // --- views ---

  summary(): PeerSummary {
    const { name, runtime, version } = this.profile;
    return {
      workerId: this.ownerId,
      origin: 'remote',
      kind: null,
      displayName: name,
      status: this.isEnded ? 'disconnected' : 'connected',
      createdAt: this.#connectedAt,
      mailbox: { messages: this.#served.size, bytes: this.#served.bytes },
      functions: this.#services.functions.countListed(this),
      runtime,
      version,
      connectedAt: this.#connectedAt,
      // What it had asked goes on, but it waits for nothing any more.
      inFlight: this.isEnded ? 0 : this.#served.size + this.asked.size,
      disconnectReason: this.#ended,
    };
  }

  view(): PeerView {
    const { description, os, pid, isolation } = this.profile;
    const { refused } = this.#registrations;
    const lateResults = this.#lateResults;
    return { ...this.summary(), description, os, pid, isolation, address: this.address, lateResults, refused };
  }
}

function stopped(): GreenroomError {
  return GreenroomError.of('invocation_stopped', { message: 'Invocation stopped' });
}

const TOO_LARGE_SESSION = (): GreenroomError =>
  GreenroomError.of('invocation_failed_payload_too_large', {
    message: 'The connection ended because a frame on it was larger than what is read at all.',
  });

/** HTTP status of what a remote answered: whatever code it chose, it says nothing about the request itself. */
function statusOf(code: string): number {
  return code === 'invocation_failed' ? 502 : 422;
}

function tailOf({ metadata, traceparent, baggage }: FunctionCall): string {
  let tail =
    metadata === null
      ? ''
      : `,"metadata":${typeof metadata === 'string' ? metadata : Buffer.from(metadata).toString()}`;
  if (traceparent !== undefined) tail += `,"traceparent":${JSON.stringify(traceparent)}`;
  if (baggage !== undefined) tail += `,"baggage":${JSON.stringify(baggage)}`;
  return tail;
}
