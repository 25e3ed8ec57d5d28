// What one remote registers. The protocol has no acknowledgement: a refusal is logged, kept in the remote's detail, and sent as a
// `registrationrejected` frame, which clients that do not know it ignore. A live owner is never displaced.

import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { Reach } from '../egress/egress.ts';
import type { FunctionSpec } from '../functions/function.ts';
import { takeHint } from '../functions/hints.ts';
import { MAX_FUNCTION_ID_CHARS } from '../limits.ts';
import { MAX_REGISTERED_BYTES } from './bounds.ts';
import { toErrorBody } from '../protocol/error-body.ts';
import type { GatewayServices } from './services.ts';
import type { RegisterFrame } from './reading.ts';
import type { Remote } from '../engine/remote.ts';

/** Refusals that are kept, the newest. */
const MAX_REFUSED = 32;

export interface Refused {
  functionId: string;
  code: string;
}

type Admitted = Pick<FunctionSpec, 'functionId' | 'description' | 'metadata'>;

export class Registrations {
  readonly #remote: Remote;
  readonly #services: GatewayServices;
  readonly refused: Refused[] = [];
  /** By the peer's own ids, with their sum. */
  readonly #bytesOf = new Map<string, number>();
  #bytes = 0;
  readonly #reach: Reach;
  /** Ends the registration over HTTP that is being made; there is one at a time. */
  #ending: AbortController | null = null;

  /** @param reach where what it registers may be called; see trust.ts */
  constructor(remote: Remote, reach: Reach, services: GatewayServices) {
    this.#remote = remote;
    this.#reach = reach;
    this.#services = services;
  }

  /** Never throws or rejects. */
  register(frame: RegisterFrame): void | Promise<void> {
    try {
      return this.#register(frame)?.catch((thrown: unknown) => this.refuse(frame.id, asGreenroomError(thrown)));
    } catch (thrown) {
      this.refuse(frame.id, asGreenroomError(thrown));
    }
  }

  unregister(id: string): void {
    const { policy } = this.#remote;
    this.#services.functions.release(this.#remote, policy.toRegistered(id));
    policy.forget(id);
    this.#count(id, 0);
  }

  /** The session has ended: what it registers at this moment is not waited for. */
  end(): void {
    this.#ending?.abort();
  }

  refuse(functionId: string, error: GreenroomError): void {
    const { code, message } = error;
    const shown = functionId.slice(0, MAX_FUNCTION_ID_CHARS);
    this.refused.push({ functionId: shown, code });
    if (this.refused.length > MAX_REFUSED) this.refused.shift();
    else {
      const { ownerId, name } = this.#remote;
      this.#services.log.warn(
        { worker_id: ownerId, worker_name: name, function_id: shown, code },
        'a registration was refused',
      );
    }
    // By the id that is taken: a hook may have made another of what the peer calls it.
    const taken = error.details?.['function_id'];
    const owner = typeof taken === 'string' ? this.#services.functions.get(taken)?.owner.ownerId : undefined;
    this.#remote.send({
      type: 'registrationrejected',
      // As clients of the next version of the protocol know it.
      ...(code === 'function_exists' ? { code: 'FUNCTION_NAMESPACE_CONFLICT', message } : bodyOf(error)),
      namespace: 'default',
      function_id: shown,
      ...(code === 'function_exists' && owner !== undefined && { owner_worker_id: owner }),
    });
  }

  #register(frame: RegisterFrame): void | Promise<void> {
    const { functions } = this.#services;
    const { policy } = this.#remote;
    const refusal = policy.registerRefusal(frame.id);
    if (refusal !== null) throw refusal;
    const functionId = policy.toRegistered(frame.id);
    if (functions.countOf(this.#remote) >= policy.maxFunctions && functions.get(functionId)?.owner !== this.#remote) {
      throw GreenroomError.of('runtime_overloaded', {
        message: 'This remote has registered as many functions as it may.',
        details: { max_functions: policy.maxFunctions },
      });
    }
    if (this.#bytes - (this.#bytesOf.get(frame.id) ?? 0) + frame.bytes > MAX_REGISTERED_BYTES) {
      throw GreenroomError.of('runtime_overloaded', {
        message: 'What this remote has registered is as large as it may be.',
        details: { max_bytes: MAX_REGISTERED_BYTES },
      });
    }
    // Claimed before a hook is asked: what nobody could register needs nobody's leave.
    const claim = functions.claim(this.#remote, functionId);
    const publish = (admitted: Admitted): void | Promise<void> => {
      if (!this.#services.isConnected(this.#remote)) return;
      const { requestFormat, responseFormat } = frame;
      const spec = { ...admitted, requestFormat, responseFormat };
      if (frame.invocation !== undefined) return this.#registerHttp(spec, frame);
      functions.register(this.#remote, spec);
      this.#registered(frame, spec);
    };
    try {
      const { description } = frame;
      // A hook is not told the hint either.
      const { metadata } = takeHint(frame.metadata);
      // By the peer's own name: what it is registered as is for the policy to say.
      const admitted = policy.admit({ kind: 'function', functionId: frame.id, description, metadata });
      const pending = admitted instanceof Promise ? admitted.then(publish) : publish(admitted);
      if (pending === undefined) return claim.release();
      return pending.finally(() => claim.release());
    } catch (thrown) {
      claim.release();
      throw thrown;
    }
  }

  /** The peer's frames wait meanwhile, no longer than a registration may take and than the session lives. */
  async #registerHttp(spec: FunctionSpec, frame: RegisterFrame): Promise<void> {
    const { invocation, metadata } = frame;
    const owner = this.#remote;
    const reach = this.#reach;
    // What the hint says is followed only for sessions that may bridge.
    const group = reach === 'loopback' ? takeHint(metadata).group : undefined;
    const ending = new AbortController();
    this.#ending = ending;
    try {
      await this.#services.http.register({ owner, spec, invocation, reach, group }, ending.signal);
      this.#registered(frame, spec);
    } catch (thrown) {
      // Whoever has gone is told nothing, and nothing is left of it that could be refused.
      if (this.#services.isConnected(owner)) throw thrown;
    } finally {
      this.#ending = null;
    }
  }

  #registered({ id, bytes }: RegisterFrame, { functionId }: FunctionSpec): void {
    this.#remote.policy.remember(id, functionId);
    this.#count(id, bytes);
  }

  #count(id: string, bytes: number): void {
    this.#bytes += bytes - (this.#bytesOf.get(id) ?? 0);
    if (bytes > 0) this.#bytesOf.set(id, bytes);
    else this.#bytesOf.delete(id);
  }
}

/** With what there is to know beside the id: which member is wrong, which rule, which bound. */
function bodyOf(error: GreenroomError): { code: string; message: string; details?: object } {
  const { code, message, ...rest } = toErrorBody(error);
  const details = Object.entries(rest).filter(([name]) => name !== 'function_id');
  return { code, message, ...(details.length > 0 && { details: Object.fromEntries(details) }) };
}
