// From bytes or a value to an accepted input: the checks that a message passes before it is acknowledged, in the order in which
// they are cheap. What is refused here has never been in a mailbox, and has cost less than what is accepted.

import { createHash } from 'node:crypto';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { requireAccepted } from '../protocol/issues.ts';
import { parseUntrusted, untrustedText } from '../protocol/json.ts';
import { encode, payloadBytes, requireSize } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Delivery, DeliverOptions } from './delivery.ts';
import type { InputKey, InputRecord } from './input.ts';
import type { RoomListener } from './room.ts';
import { COMMANDS, requireEffect } from './states.ts';
import type { Worker } from './worker.ts';

/** What admission has to know of the runtime around it. */
export interface Surroundings {
  /** Why it takes no work now; null if it does. */
  unavailable(): GreenroomError | null;
  /** The worker has not been deleted. */
  isKnown(worker: Worker): boolean;
  /** Keeps the worker in memory until what is returned is called. */
  hold(worker: Worker): () => void;
  /** A host to validate on. Throws `runtime_unavailable`. */
  anyHost(): Host;
}

export class Admission {
  readonly #limits: Limits;
  readonly #delivery: Delivery;
  readonly #surroundings: Surroundings;
  /** Large inputs that are being validated: held in memory, but not in a mailbox yet. */
  #bytesInValidation = 0;

  constructor(limits: Limits, delivery: Delivery, surroundings: Surroundings) {
    this.#limits = limits;
    this.#delivery = delivery;
    this.#surroundings = surroundings;
  }

  /** Throws what an input of this size would be refused with now, whatever is in it. `ahead`: how many others are to come before it. */
  requireRoom(worker: Worker, bytes: number, ahead = 0): void {
    const unavailable = this.#surroundings.unavailable();
    if (unavailable !== null) throw this.#delivery.capacity.refuse(worker, unavailable);
    const cell = COMMANDS.input[worker.status];
    if (cell !== 'accept' && worker.stopping !== null) worker.stopping.refused++;
    requireEffect(cell, 'accept');
    worker.requireActor();
    this.#delivery.capacity.requireRoom(worker, bytes, ahead);
  }

  /** A value of this process. */
  value(worker: Worker, value: unknown, options: DeliverOptions): InputRecord {
    // A repeated key is answered in every status; all others are refused before their value is encoded.
    if (options.idempotencyKey === undefined) this.requireRoom(worker, 0);
    const text = encode(value);
    const bytes = requireSize(payloadBytes(text), this.#limits.maxMessageBytes, 'ask');
    const key = keyOf(text, options);
    const known = this.#replay(worker, key);
    if (known !== null) return known;
    this.requireRoom(worker, bytes);
    requireAccepted(worker.actor.definition.input, value, 'invalid_input');
    return this.#delivery.accept(worker, text, bytes, key, options);
  }

  /** A value that is to be accepted later, after `ahead` others: what it is refused with now, it is refused with. */
  prepare(worker: Worker, value: unknown, ahead: number): { text: string; bytes: number } {
    this.requireRoom(worker, 0, ahead);
    const text = encode(value);
    const bytes = requireSize(payloadBytes(text), this.#limits.maxMessageBytes, 'ask');
    this.requireRoom(worker, bytes, ahead);
    requireAccepted(worker.actor.definition.input, value, 'invalid_input');
    return { text, bytes };
  }

  /** What the runtime itself tells a worker: no schema of its actor says what that looks like. */
  notice(worker: Worker, payload: Payload): InputRecord {
    const bytes = payloadBytes(payload);
    this.requireRoom(worker, bytes);
    return this.#delivery.accept(worker, payload, bytes, null, {});
  }

  /** Untrusted bytes. A large input is parsed and validated by a host, so that the main loop does not stall. */
  bytes(worker: Worker, body: Uint8Array, options: DeliverOptions): InputRecord | Promise<InputRecord> {
    requireSize(body.byteLength, this.#limits.maxMessageBytes, 'http');
    const key = keyOf(body, options);
    const known = this.#replay(worker, key);
    if (known !== null) return known;
    this.requireRoom(worker, body.byteLength);
    if (body.byteLength > INLINE_PARSE_BYTES) return this.#large(worker, body, options, key);
    return this.#small(worker, untrustedText(body), body.byteLength, options, key);
  }

  /** Untrusted text of at most INLINE_PARSE_BYTES, decoded from UTF-8 already; `bytes` is its size there. */
  text(worker: Worker, text: string, bytes: number, options: DeliverOptions): InputRecord {
    requireSize(bytes, this.#limits.maxMessageBytes, 'http');
    const key = keyOf(text, options);
    const known = this.#replay(worker, key);
    if (known !== null) return known;
    this.requireRoom(worker, bytes);
    return this.#small(worker, text, bytes, options, key);
  }

  /** Untrusted bytes that are no input. Throws what `Supervisor.checkPayload` says. */
  check(bytes: Uint8Array): void | Promise<void> {
    if (bytes.byteLength <= INLINE_PARSE_BYTES) {
      parseUntrusted(bytes);
      return;
    }
    return this.#holding(null, bytes.byteLength, () => this.#lookOn(null, (host) => host.checkJson(bytes)));
  }

  /**
   * Whether an input would be refused for want of room and nothing else. Then the listener is in line, and is called whenever there
   * may be room; otherwise it is in no line. An input whose key is known needs no room.
   */
  joinLine(worker: Worker, bytes: number, key: string | undefined, listener: RoomListener): boolean {
    const { capacity } = this.#delivery;
    const isOpen = this.#surroundings.unavailable() === null && COMMANDS.input[worker.status] === 'accept';
    const alsoHeldBytes = bytes > INLINE_PARSE_BYTES ? this.#bytesInValidation : 0;
    if (isOpen && !capacity.joinLine(worker, bytes, alsoHeldBytes, listener)) return false;
    // Looked for last: it may be on disk only.
    const isKnown = key !== undefined && isOpen && this.#delivery.keyed(worker, key) !== undefined;
    if (isOpen && !isKnown) return true;
    capacity.room.leave(listener);
    return false;
  }

  #small(worker: Worker, text: string, bytes: number, options: DeliverOptions, key: InputKey | null): InputRecord {
    requireAccepted(worker.actor.definition.input, parseUntrusted(text), 'invalid_input');
    return this.#delivery.accept(worker, text, bytes, key, options);
  }

  async #large(worker: Worker, body: Uint8Array, options: DeliverOptions, key: InputKey | null): Promise<InputRecord> {
    const release = this.#surroundings.hold(worker);
    try {
      await this.#holding(worker, body.byteLength, () =>
        this.#lookOn(worker, (host) => host.validate(worker.actor.module, body)),
      );
      // Much may have happened meanwhile: the same key, a stop, a delete, other inputs.
      const known = this.#replay(worker, key);
      if (known !== null) return known;
      if (!this.#surroundings.isKnown(worker)) throw GreenroomError.of('worker_not_found');
      this.requireRoom(worker, body.byteLength);
      return this.#delivery.accept(worker, body, body.byteLength, key, options);
    } finally {
      release();
    }
  }

  /** The input that this key was used for, if it is the same input. Throws `idempotency_conflict` if it is another. */
  #replay(worker: Worker, key: InputKey | null): InputRecord | null {
    if (key === null) return null;
    const known = this.#delivery.keyed(worker, key.key);
    if (known === undefined) return null;
    if (known.key?.digest !== key.digest) throw GreenroomError.of('idempotency_conflict');
    return known;
  }

  /** On the worker's own host, if it has one. A host that ends in an orderly way, because it is recycled, may do so before it has answered. */
  async #lookOn(worker: Worker | null, look: (host: Host) => Promise<void>): Promise<void> {
    const host = worker?.host?.host ?? this.#surroundings.anyHost();
    try {
      await look(host);
    } catch (thrown) {
      const exit = await Promise.race([host.exited, Promise.resolve(null)]);
      if (asGreenroomError(thrown).code !== 'host_lost' || exit?.type !== 'closed') throw thrown;
      await look(this.#surroundings.anyHost());
    }
  }

  /** Counts bytes that a host looks at against the bound of the runtime. `worker` is whose they are; null for nobody's. */
  async #holding(worker: Worker | null, bytes: number, look: () => Promise<void>): Promise<void> {
    this.#delivery.capacity.requireBytes(worker, this.#bytesInValidation + bytes);
    this.#bytesInValidation += bytes;
    try {
      await look();
    } finally {
      this.#bytesInValidation -= bytes;
      if (!this.#delivery.capacity.room.isEmpty) this.#delivery.capacity.room.freed(worker);
    }
  }
}

function keyOf(payload: Payload, { idempotencyKey }: DeliverOptions): InputKey | null {
  if (idempotencyKey === undefined) return null;
  return { key: idempotencyKey, digest: createHash('sha256').update(payload).digest('base64') };
}
