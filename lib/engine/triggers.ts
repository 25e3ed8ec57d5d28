// Triggers, from the frames and calls about them to the book that holds them: what a session may register is decided here, and
// whoever has to learn of a refusal is told. An explicit unregister wins over whatever a provider says later.
//
//   originator ── registertrigger ──▶ policy ──▶ book ── registertrigger ──▶ provider
//              ◀── triggerregistrationresult with an error (refused here, or by the provider: then it is parked) ──

import { randomUUID } from 'node:crypto';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { Functions } from '../functions/registry.ts';
import { MAX_ERROR_CHARS } from '../limits.ts';
import { describeError, isDoubled } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { TRIGGER_ACK_TIMEOUT_MS } from './bounds.ts';
import { EngineEvents } from './events.ts';
import type { WorkerEvent } from './events.ts';
import { toErrorBody } from '../protocol/error-body.ts';
import type { ErrorBody, TriggerFrame } from '../protocol/remote-frames.ts';
import { cleanText } from './labels.ts';
import type { Remote } from './remote.ts';
import { failure, TriggerBook } from './trigger-book.ts';
import type { Trigger } from './trigger-book.ts';

/** Characters of an error code that a provider chooses. */
const MAX_CODE_CHARS = 64;

type TypeFrame = Extract<TriggerFrame, { type: 'registertriggertype' }>;
type BindFrame = Extract<TriggerFrame, { type: 'registertrigger' }>;
type ResultFrame = Extract<TriggerFrame, { type: 'triggerregistrationresult' }>;

/** What `engine::register_trigger` asks for. */
export interface TriggerRequest {
  readonly triggerType: string;
  readonly functionId: string;
  readonly config: unknown;
  readonly metadata: unknown;
}

export interface TriggerParts {
  readonly functions: Functions;
  readonly log: Logger;
  /** How long a function that is told an event may take. */
  readonly invocationTimeoutMs: number;
}

export class Triggers {
  readonly book = new TriggerBook();
  readonly #functions: Functions;
  readonly #log: Logger;
  readonly #events: EngineEvents;
  /** Sessions that have ended: what was still being admitted for them is dropped. */
  readonly #ended = new WeakSet<Remote>();
  /** Frames of a session that were refused. */
  readonly #refused = new WeakMap<Remote, number>();
  /** Who waits for a provider's answer, by the id of the trigger; each leaves when its wait ends. */
  readonly #waiting = new Map<string, (error: GreenroomError | null) => void>();

  constructor({ functions, log, invocationTimeoutMs }: TriggerParts) {
    this.#functions = functions;
    this.#log = log;
    const mayFire = (trigger: Trigger): boolean => this.#refusal(trigger) === null;
    this.#events = new EngineEvents({ book: this.book, functions, log, timeoutMs: invocationTimeoutMs, mayFire });
  }

  /** Does what a frame says. Never rejects: refusals are told to the remote. Frames of one remote have to be handed in one after the other. */
  async handle(remote: Remote, frame: TriggerFrame): Promise<void> {
    try {
      await this.#do(remote, frame);
    } catch (thrown) {
      const error = asGreenroomError(thrown);
      this.#logRefusal(remote, frame, error);
      if (frame.type === 'registertrigger') tellRefusal(remote, frame, toErrorBody(error));
      else remote.send({ type: 'error', error: toErrorBody(error) });
    }
  }

  /**
   * Registers a trigger that no session ends. Hooks have half the call's time. Then the provider, if it is there, has the other half,
   * at most 10 s: without an answer the trigger is accepted. Rejects with `trigger_registration_failed`, `forbidden`,
   * `unsupported_operation`, `timeout` of the hooks, `cancelled`, or what the provider says; then nothing is registered.
   */
  async register(
    maker: Remote | null,
    request: TriggerRequest,
    wait: { timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<string> {
    const id = randomUUID();
    const admission = this.#admit(maker, { type: 'registertrigger', id, ...request });
    const trigger = await within(admission, wait.timeoutMs / 2);
    if (maker !== null && this.#ended.has(maker)) throw GreenroomError.of('invocation_stopped');
    const timeoutMs = Math.min(TRIGGER_ACK_TIMEOUT_MS, wait.timeoutMs / 2);
    const answer = this.#answerFor(trigger.id, timeoutMs, wait.signal);
    try {
      const { parked } = this.book.add({ ...trigger, owner: null });
      const awaited = !parked && this.book.type(trigger.triggerType)?.provider !== null;
      if (!awaited) this.#waiting.get(trigger.id)?.(null);
    } catch (thrown) {
      this.#waiting.get(trigger.id)?.(null);
      throw thrown;
    }
    const error = await answer;
    if (error === null) return trigger.id;
    this.unregister(trigger.id);
    throw error;
  }

  /** Takes out a trigger that no session ends. False when there is none of that id, or it ends with a session. */
  unregister(id: string): boolean {
    if (this.book.get(id)?.owner !== null) return false;
    return this.#remove(id);
  }

  /** A session is over: its triggers go, the triggers of its types are parked. To be called once its frames are no longer handled. */
  sessionEnded(remote: Remote): void {
    this.#ended.add(remote);
    this.book.removeOwner(remote);
  }

  /** Tells whoever asked for `engine::workers-available`. */
  workerChanged(event: WorkerEvent, workerId: string): void {
    this.#events.workerChanged(event, workerId);
  }

  /** Nothing is told any more, and nobody waits. */
  close(): void {
    this.#events.close();
    for (const settle of this.#waiting.values()) settle(GreenroomError.of('runtime_unavailable'));
  }

  async #do(remote: Remote, frame: TriggerFrame): Promise<void> {
    switch (frame.type) {
      case 'registertriggertype':
        return this.#addType(remote, frame);
      case 'unregistertriggertype':
        this.book.removeType(remote, frame.id);
        return;
      case 'registertrigger': {
        const trigger = await this.#admit(remote, frame);
        if (!this.#ended.has(remote)) this.book.add(trigger);
        return;
      }
      case 'unregistertrigger': {
        const owned = this.book.ownedBy(remote, frame.id);
        if (owned !== undefined) this.#remove(owned.id);
        return;
      }
      case 'triggerregistrationresult':
        return this.#settle(remote, frame);
    }
  }

  async #addType(provider: Remote, frame: TypeFrame): Promise<void> {
    const { id: peerId, description, requestFormat, callFormat } = frame;
    const asked = { kind: 'trigger_type', triggerType: peerId, description } as const;
    const admitted = await provider.policy.admit(asked);
    if (this.#ended.has(provider)) return;
    const { triggerType: id, description: shown } = admitted;
    this.book.addType({ id, peerId, provider, description: shown, requestFormat, callFormat });
  }

  /** What is to be registered, after its hooks. Rejects with `forbidden`. */
  async #admit(maker: Remote | null, frame: BindFrame): Promise<Trigger> {
    const { id, triggerType, functionId, config, metadata } = frame;
    const asGiven = { id, triggerType, functionId };
    const policy = maker?.policy ?? null;
    const asked = { kind: 'trigger', triggerId: id, triggerType, functionId, config, metadata } as const;
    const admitted = policy === null ? asked : await policy.admit(asked);
    const trigger: Trigger = {
      id: admitted.triggerId,
      triggerType: admitted.triggerType,
      functionId: admitted.functionId,
      config: admitted.config,
      metadata: admitted.metadata,
      owner: maker,
      policy,
      asGiven,
    };
    // Of what the runtime fires it is asked each time; what a remote fires is called in that remote's name, so it has to be asked here.
    const isEngine = this.book.type(trigger.triggerType)?.provider === null;
    const refusal = isEngine ? null : this.#refusal(trigger);
    if (refusal !== null) throw refusal;
    return trigger;
  }

  /** A trigger makes somebody else call the function: only what its maker may call, or serves itself, may be its target. */
  #refusal({ policy, functionId }: Trigger): GreenroomError | null {
    if (policy === null) return null;
    const target = this.#functions.get(functionId);
    if (target !== undefined && (target.owner as Partial<Remote>).policy === policy) return null;
    return policy.callRefusal(functionId, target?.metadata);
  }

  /** The 1st, 2nd, 4th, 8th, … of a remote: what it sends must not be able to flood the log. */
  #logRefusal(remote: Remote, frame: TriggerFrame, error: GreenroomError): void {
    const refused = (this.#refused.get(remote) ?? 0) + 1;
    this.#refused.set(remote, refused);
    if (!isDoubled(refused)) return;
    const reason = error.code === 'internal' ? describeError(error.cause ?? error) : { code: error.code };
    const fields = { worker_id: remote.ownerId, frame_type: frame.type, refused, ...reason };
    this.#log.warn(fields, 'a trigger or a trigger type was refused');
  }

  #settle(provider: Remote, frame: ResultFrame): void {
    const trigger = this.book.settle(provider, frame.id, frame.error !== null);
    if (trigger === undefined) {
      this.#log.debug({ worker_id: provider.ownerId }, 'an answer about a trigger of another provider was ignored');
      return;
    }
    const waiting = this.#waiting.get(trigger.id);
    if (frame.error === null) return waiting?.(null);
    const error = providerError(frame.error);
    this.#logRefusal(provider, frame, error);
    if (waiting !== undefined) waiting(error);
    else if (trigger.owner !== null) tellRefusal(trigger.owner, trigger.asGiven, toErrorBody(error));
  }

  #remove(id: string): boolean {
    if (!this.book.remove(id)) return false;
    this.#waiting.get(id)?.(failure('The trigger was unregistered before its provider answered.'));
    return true;
  }

  #answerFor(id: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<GreenroomError | null> {
    return new Promise((resolve) => {
      const settle = (error: GreenroomError | null): void => {
        this.#waiting.delete(id);
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        resolve(error);
      };
      const cancel = (): void => settle(GreenroomError.of('cancelled'));
      const timer = setTimeout(() => settle(null), timeoutMs).unref();
      signal?.addEventListener('abort', cancel);
      this.#waiting.set(id, settle);
      if (signal?.aborted === true) cancel();
    });
  }
}

/** Rejects with `timeout` when it takes longer. */
async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(GreenroomError.of('timeout')), timeoutMs).unref();
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function tellRefusal(remote: Remote, asGiven: Trigger['asGiven'], error: ErrorBody): void {
  const { id, triggerType, functionId } = asGiven;
  const named = { id, trigger_type: triggerType, function_id: functionId };
  remote.send({ type: 'triggerregistrationresult', ...named, error });
}

/** What one peer says is shown to another: its code and its message, on one line and bounded, and nothing else of it. */
function providerError({ code, message }: ErrorBody): GreenroomError {
  return GreenroomError.fromWire({
    code: cleanText(code, MAX_CODE_CHARS) ?? 'trigger_registration_failed',
    message: cleanText(message, MAX_ERROR_CHARS) ?? 'The provider refused the trigger.',
    retryable: false,
  });
}
