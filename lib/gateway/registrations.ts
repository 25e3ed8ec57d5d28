// What one remote registers. The protocol has no acknowledgement: a refusal is logged, kept in the remote's detail, and sent as a
// `registrationrejected` frame, which clients that do not know it ignore. A live owner is never displaced.

import { asGreenroomError, GreenroomError } from '../errors.ts';
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

export class Registrations {
  readonly #remote: Remote;
  readonly #services: GatewayServices;
  readonly refused: Refused[] = [];
  /** By the peer's own ids, with their sum. */
  readonly #bytesOf = new Map<string, number>();
  #bytes = 0;

  constructor(remote: Remote, services: GatewayServices) {
    this.#remote = remote;
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
    const owner = this.#services.functions.get(this.#remote.policy.toRegistered(functionId))?.owner.ownerId;
    this.#remote.send({
      type: 'registrationrejected',
      // As clients of the next version of the protocol know it.
      ...(code === 'function_exists' ? { code: 'FUNCTION_NAMESPACE_CONFLICT', message } : codeAndMessage(error)),
      namespace: 'default',
      function_id: shown,
      ...(code === 'function_exists' && owner !== undefined && { owner_worker_id: owner }),
    });
  }

  #register(frame: RegisterFrame): void | Promise<void> {
    const { functions } = this.#services;
    const { policy } = this.#remote;
    if (frame.invocation !== undefined) {
      throw GreenroomError.of('unsupported_operation', { message: 'Functions over HTTP are not in this version yet.' });
    }
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
    const { description, metadata } = frame;
    const publish = (admitted: { functionId: string; description: string | null; metadata: unknown }): void => {
      claim.release();
      const { requestFormat, responseFormat } = frame;
      if (!this.#services.isConnected(this.#remote)) return;
      functions.register(this.#remote, { ...admitted, requestFormat, responseFormat });
      this.#count(frame.id, frame.bytes);
    };
    try {
      // By the peer's own name: what it is registered as is for the policy to say.
      const admitted = policy.admit({ kind: 'function', functionId: frame.id, description, metadata });
      if (!(admitted instanceof Promise)) return publish(admitted);
      return admitted.then(publish).finally(() => claim.release());
    } catch (thrown) {
      claim.release();
      throw thrown;
    }
  }

  #count(id: string, bytes: number): void {
    this.#bytes += bytes - (this.#bytesOf.get(id) ?? 0);
    if (bytes > 0) this.#bytesOf.set(id, bytes);
    else this.#bytesOf.delete(id);
  }
}

function codeAndMessage(error: GreenroomError): { code: string; message: string } {
  const { code, message } = toErrorBody(error);
  return { code, message };
}
