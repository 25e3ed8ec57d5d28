// What must hold in every simulation, whatever went wrong in it. Each check throws a Violation, which names what it saw.

import type { Runtime } from '../runtime.ts';
import { ledgerEvents } from './ledger-events.ts';
import type { Trace } from './trace.ts';

export class Violation extends Error {
  override readonly name = 'Violation';
}

interface Running {
  readonly no: number;
  readonly hostId: string | null;
}

interface Begun {
  /** Where it began an input last, and which. */
  readonly hostId: string | null;
  readonly no: number;
  /** The highest number of all that it ever began. */
  readonly latest: number;
  /** The last attempt at each input. */
  readonly attempts: Map<number, number>;
}

/** Watches the handlers while they run, and counts up at the end. */
export class Checks {
  readonly #trace: Trace;
  #runtime: Runtime | null = null;
  readonly #running = new Map<string, Running>();
  /** What each worker has begun. */
  readonly #begun = new Map<string, Begun>();
  /** The first that was seen; thrown when the simulation looks. */
  #violation: Violation | null = null;

  constructor(trace: Trace) {
    this.#trace = trace;
    ledgerEvents.began = (workerId, no, attempt) => this.#began(workerId, no, attempt);
  }

  watch(runtime: Runtime): void {
    this.#runtime = runtime;
  }

  stop(): void {
    ledgerEvents.began = () => () => undefined;
  }

  violate(message: string): void {
    this.#trace.add(`VIOLATION ${message}`);
    this.#violation ??= new Violation(message);
  }

  /** Throws what has been seen so far. */
  look(): void {
    if (this.#violation !== null) throw this.#violation;
  }

  /** Nothing on it runs any more, whatever its handlers still do unheard. */
  hostGone(hostId: string): void {
    this.#trace.add(`${hostId} is gone`);
    for (const [workerId, running] of this.#running) if (running.hostId === hostId) this.#running.delete(workerId);
  }

  /** Another one has the name from now on. */
  forget(workerId: string): void {
    this.#begun.delete(workerId);
  }

  #began(workerId: string, no: number, attempt: number): () => void {
    const hostId = this.#runtime?.worker(workerId).view().hostId ?? null;
    this.#trace.add(`${workerId} begins ${no} at ${hostId}, attempt ${attempt}`);
    const other = this.#running.get(workerId);
    if (other !== undefined) this.violate(`${workerId} began input ${no} while it was running input ${other.no}`);
    const running: Running = { no, hostId };
    this.#running.set(workerId, running);
    if (no > 0) this.#checkOrder(workerId, no, attempt, hostId);
    return () => {
      if (this.#running.get(workerId) === running) this.#running.delete(workerId);
    };
  }

  /** In the order of their acceptance; after the death of a host, those that it had begun may come once more, in the same order. */
  #checkOrder(workerId: string, no: number, attempt: number, hostId: string | null): void {
    const begun = this.#begun.get(workerId) ?? { hostId, no: 0, latest: 0, attempts: new Map<number, number>() };
    this.#begun.set(workerId, begun);
    const attemptBefore = begun.attempts.get(no);
    const latest = attemptBefore === undefined ? begun.latest : begun.hostId === hostId ? begun.no : 0;
    if (no < latest) this.violate(`${workerId} began input ${no} after input ${latest}, which was accepted later`);
    if (attemptBefore !== undefined && attempt <= attemptBefore) this.violate(`${workerId} began input ${no} twice`);
    begun.attempts.set(no, attempt);
    Object.assign(begun, { hostId, no, latest: Math.max(begun.latest, no) });
  }

  /** Of a worker that rests: every input that it accepted has exactly one outcome. Returns what those that completed have added. */
  async outcomesOf(workerId: string): Promise<number> {
    const outcomes = new Map<string, string[]>();
    let added = 0;
    for await (const { type, inputId, data } of (this.#runtime as Runtime).worker(workerId).transcript({ skipTrimmed: true })) {
      if (inputId === undefined) continue;
      const known = outcomes.get(inputId) ?? [];
      if (type === 'input') outcomes.set(inputId, known);
      if (type !== 'output' && type !== 'failed' && type !== 'cancelled') continue;
      outcomes.set(inputId, [...known, type]);
      if (type === 'output') added += (data as { added: number }).added;
    }
    for (const [inputId, types] of outcomes) {
      if (types.length !== 1) this.violate(`${workerId}: input ${numberOf(inputId)} has ${types.length} outcomes (${types.join(', ')})`);
    }
    this.look();
    return added;
  }
}

/** An id without what is different in each run. */
export function numberOf(inputId: string): string {
  return inputId.slice(inputId.lastIndexOf('-') + 1);
}
