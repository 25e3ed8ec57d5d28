// The calls that one remote has made and waits for. Each is checked against what its credential allows, started in the order in which it
// came, and answered once, on the socket that it came from; when that has gone, its outcome has nobody to go to.

import { randomUUID } from 'node:crypto';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { FunctionCall } from '../functions/function.ts';
import { functionNotFound } from '../functions/registry.ts';
import { isEngineId } from '../protocol/function-ids.ts';
import { splice } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { BUSY_RETRY_MS, MAX_ORPHAN_CHARS, MAX_ORPHANS } from './bounds.ts';
import { toErrorBody } from '../protocol/error-body.ts';
import type { GatewayServices } from './services.ts';
import type { InvokeFrame } from './reading.ts';
import type { Remote } from '../engine/remote.ts';
import { unsupportedRefusal } from '../engine/unsupported.ts';
import type { Wire } from './wire.ts';

/** Whom an answer goes to: the ids as the remote gave them. */
export interface Asked {
  /** Null: nobody waits. */
  readonly invocationId: string | null;
  readonly functionId: string;
}

/** Follows the calls that a peer has saved up for its connection; refused, it would never be listed, and nobody would be told. */
const INTRODUCTION = 'engine::workers::register';

export class AskedCalls {
  readonly #remote: Remote;
  readonly #wire: Wire;
  readonly #services: GatewayServices;
  readonly #open = new Set<Asked>();

  constructor(remote: Remote, wire: Wire, services: GatewayServices) {
    this.#remote = remote;
    this.#wire = wire;
    this.#services = services;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Those that somebody waits for, for when the remote comes back. */
  orphans(): Asked[] {
    let chars = 0;
    return [...this.#open]
      .filter(({ invocationId }) => invocationId !== null)
      .slice(0, MAX_ORPHANS)
      .filter((asked) => (chars += asked.functionId.length + (asked.invocationId?.length ?? 0)) <= MAX_ORPHAN_CHARS);
  }

  /** Starts a call, or answers why not. A promise while a large payload is checked: the remote's next frame has to wait for it. */
  take(frame: InvokeFrame): void | Promise<void> {
    const { functionId, action } = frame;
    const asked: Asked = { invocationId: action === 'void' ? null : frame.invocationId, functionId };
    const refusal = this.#refusalOf(frame);
    if (refusal !== null) return this.#refuse(frame, refusal);
    if (typeof frame.data === 'string') return this.#start(asked, frame);
    return this.#startChecked(asked, frame, frame.data);
  }

  /** Rejects when the payload is refused; whoever reads frames answers that. */
  async #startChecked(asked: Asked, frame: InvokeFrame, payload: Uint8Array): Promise<void> {
    await this.#services.checkPayload(payload);
    this.#start(asked, frame);
  }

  #refusalOf({ functionId, action }: InvokeFrame): GreenroomError | null {
    const { policy } = this.#remote;
    const found = this.#services.functions.get(functionId);
    const forbidden = policy.callRefusal(functionId, found?.metadata ?? null);
    if (forbidden !== null) return forbidden;
    if (action === 'enqueue')
      return GreenroomError.of('unsupported_operation', { message: 'There are no queues: call the function itself.' });
    if (found === undefined) {
      return unsupportedRefusal(functionId) ?? functionNotFound(functionId);
    }
    if (this.#open.size < policy.maxCallsInFlight || functionId === INTRODUCTION) return null;
    return GreenroomError.of('worker_busy', {
      message: 'This connection waits for as many calls as it may.',
      details: { messages: this.#open.size, capacity: policy.maxCallsInFlight, retry_after_ms: BUSY_RETRY_MS },
    });
  }

  #start(asked: Asked, frame: InvokeFrame): void {
    const { functions, limits } = this.#services;
    this.#open.add(asked);
    const call: FunctionCall = {
      payload: frame.data,
      metadata: frame.metadata,
      caller: { workerId: this.#remote.ownerId },
      timeoutMs: limits.invocationTimeoutMs,
      traceparent: frame.traceparent,
      baggage: frame.baggage,
    };
    const { middlewareFunctionId } = this.#remote.policy;
    const called =
      middlewareFunctionId === null || isEngineId(frame.functionId)
        ? functions.call(frame.functionId, call)
        : functions.call(middlewareFunctionId, { ...call, payload: this.#forMiddleware(frame) });
    called.then(
      (output) => {
        this.#open.delete(asked);
        if (asked.invocationId !== null) this.#answer(asked.invocationId, asked.functionId, output);
      },
      (thrown: unknown) => {
        this.#open.delete(asked);
        if (asked.invocationId !== null) this.#answerError(asked.invocationId, asked.functionId, thrown);
      },
    );
  }

  #forMiddleware({ functionId, data, action }: InvokeFrame): Payload {
    const head = `{"function_id":${JSON.stringify(functionId)},"payload":`;
    const type = action === 'call' ? 'null' : JSON.stringify({ type: action });
    const tail = `,"action":${type},"context":${JSON.stringify(this.#remote.policy.context ?? {})}}`;
    return splice(head, data, tail);
  }

  /** A call that is forbidden is told so even if nobody waits for it, under an id of its own: a policy should not fail silently. */
  #refuse({ invocationId, functionId }: InvokeFrame, refusal: GreenroomError): void {
    const id = invocationId ?? (refusal.code === 'forbidden' ? randomUUID() : null);
    if (id !== null) this.#answerError(id, functionId, refusal);
  }

  #answer(invocationId: string, functionId: string, output: Payload): void {
    if (!this.#wire.isOpen) return;
    try {
      if (this.#wire.isFull) {
        throw GreenroomError.of('runtime_overloaded', { message: 'This connection does not read its results.' });
      }
      const head = `{"type":"invocationresult","invocation_id":${JSON.stringify(invocationId)},"function_id":${JSON.stringify(functionId)},"result":`;
      this.#wire.sendParts(head, output, '}');
    } catch (thrown) {
      this.#answerError(invocationId, functionId, thrown);
    }
  }

  #answerError(invocationId: string, functionId: string, thrown: unknown): void {
    const error = asGreenroomError(thrown);
    if (error.code === 'internal') this.#services.reportInternal(error);
    const body = toErrorBody(error);
    this.#wire.send({ type: 'invocationresult', invocation_id: invocationId, function_id: functionId, error: body });
  }
}
