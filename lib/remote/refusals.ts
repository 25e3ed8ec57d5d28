// Functions that the runtime did not register: the protocol has no acknowledgement, and the SDK overlooks the frame in which this runtime
// says so. They are remembered until the remote connects again or asks otherwise, so that `ready` does not claim what is not so.

import { fromWire, RemoteError } from './errors.ts';

/** How a frame begins that tells of one; no other frame is parsed for it. */
const HEAD = Buffer.from('{"type":"registrationrejected"');
/** What the protocol calls `function_exists`. */
const CONFLICT = 'FUNCTION_NAMESPACE_CONFLICT';
/** A runtime that refuses more has said enough. */
const MAX_REFUSALS = 1_024;

export class Refusals {
  readonly #errors = new Map<string, Error>();

  /** Looks at a frame before the SDK does. */
  look(frame: Buffer): void {
    if (!frame.subarray(0, HEAD.length).equals(HEAD) || this.#errors.size >= MAX_REFUSALS) return;
    let parsed: Record<string, unknown>;
    try {
      parsed = JSON.parse(frame.toString()) as Record<string, unknown>;
    } catch {
      return; // The SDK reads it next, and reports what it cannot read.
    }
    const { function_id: functionId, code, message, details } = parsed;
    if (typeof functionId !== 'string') return;
    const error =
      code === CONFLICT
        ? RemoteError.of('function_exists', { functionId })
        : fromWire({ code, message, details }, functionId);
    this.#errors.set(functionId, error);
  }

  /** It has been registered anew, or given up. */
  forget(functionId: string): void {
    this.#errors.delete(functionId);
  }

  /** Another connection has been opened: everything is registered again. */
  clear(): void {
    this.#errors.clear();
  }

  /** Throws the first one. */
  requireNone(): void {
    const [error] = this.#errors.values();
    if (error !== undefined) throw error;
  }
}
