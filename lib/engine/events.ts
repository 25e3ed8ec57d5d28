// What the runtime itself tells those who bound a trigger to it: that the functions changed, that workers came and went.
// Each trigger has a line of its own, bounded, in which the same event stands once; one call at a time goes to each trigger and a
// bounded number to all, so a subscriber that is slow, or whose function causes the next event, holds up nobody and nothing grows.

import type { Functions } from '../functions/registry.ts';
import { isDoubled } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { encode } from '../protocol/payload.ts';
import { EVENTS_IN_FLIGHT, EVENTS_PER_TRIGGER, FUNCTIONS_CHANGED_DELAY_MS, MAX_EVENTS } from './bounds.ts';
import { functionRows } from './function-listings.ts';
import { FUNCTIONS_AVAILABLE, WORKERS_AVAILABLE } from './trigger-book.ts';
import type { Trigger, TriggerBook } from './trigger-book.ts';

export type WorkerEvent = 'worker_connected' | 'worker_disconnected' | 'worker_metadata_updated';
/** Made when the call goes out: what it tells is then as new as can be. */
type MakePayload = (trigger: Trigger) => unknown;

export interface EventParts {
  readonly book: TriggerBook;
  readonly functions: Functions;
  readonly log: Logger;
  /** How long one subscriber's function may take. */
  readonly timeoutMs: number;
  /** False when whoever made the trigger may not call its function (any more). */
  readonly mayFire: (trigger: Trigger) => boolean;
}

export class EngineEvents {
  readonly #parts: EventParts;
  /** Per trigger what it has not been told, by what makes an event the same. */
  readonly #waiting = new Map<Trigger, Map<string, MakePayload>>();
  /** Triggers with something to tell that are not being told anything. */
  readonly #ready = new Set<Trigger>();
  readonly #inFlight = new Set<Trigger>();
  readonly #closing = new AbortController();
  readonly #unlisten: () => void;
  #events = 0;
  #dropped = 0;
  #changed: NodeJS.Timeout | undefined;

  constructor(parts: EventParts) {
    this.#parts = parts;
    this.#unlisten = parts.functions.onChange(() => this.#functionsChanged());
  }

  workerChanged(event: WorkerEvent, workerId: string): void {
    for (const trigger of this.#parts.book.ofType(WORKERS_AVAILABLE)) {
      this.#enqueue(trigger, `${event} ${workerId}`, () => ({ event, worker_id: workerId }));
    }
    this.#pump();
  }

  close(): void {
    this.#unlisten();
    clearTimeout(this.#changed);
    this.#waiting.clear();
    this.#ready.clear();
    this.#closing.abort();
  }

  #functionsChanged(): void {
    if (this.#changed !== undefined || this.#parts.book.ofType(FUNCTIONS_AVAILABLE).size === 0) return;
    this.#changed = setTimeout(() => {
      this.#changed = undefined;
      for (const trigger of this.#parts.book.ofType(FUNCTIONS_AVAILABLE)) {
        this.#enqueue(trigger, 'functions_changed', ({ policy }) => ({
          event: 'functions_changed',
          functions: functionRows(this.#parts.functions, {}, policy),
        }));
      }
      this.#pump();
    }, FUNCTIONS_CHANGED_DELAY_MS).unref();
  }

  #enqueue(trigger: Trigger, key: string, make: MakePayload): void {
    if (this.#closing.signal.aborted) return;
    const line = this.#waiting.get(trigger) ?? new Map<string, MakePayload>();
    if (line.has(key)) return;
    if (line.size >= EVENTS_PER_TRIGGER || this.#events >= MAX_EVENTS) {
      this.#drop(trigger);
      const [oldest] = line.keys();
      if (oldest === undefined) return;
      line.delete(oldest);
      this.#events--;
    }
    line.set(key, make);
    this.#events++;
    this.#waiting.set(trigger, line);
    if (!this.#inFlight.has(trigger)) this.#ready.add(trigger);
  }

  /** Logged at 1, 2, 4, 8, …: a subscriber that cannot follow must not flood the log as well. */
  #drop(trigger: Trigger): void {
    this.#dropped++;
    if (!isDoubled(this.#dropped)) return;
    const fields = { trigger_type: trigger.triggerType, function_id: trigger.functionId, dropped: this.#dropped };
    this.#parts.log.warn(fields, 'events of the runtime were dropped');
  }

  #pump(): void {
    for (const trigger of this.#ready) {
      if (this.#inFlight.size >= EVENTS_IN_FLIGHT) return;
      this.#ready.delete(trigger);
      this.#inFlight.add(trigger);
      void this.#tell(trigger).finally(() => {
        this.#inFlight.delete(trigger);
        if (this.#waiting.has(trigger)) this.#ready.add(trigger);
        this.#pump();
      });
    }
  }

  /** Never rejects: nobody waits for what a subscriber makes of an event. */
  async #tell(trigger: Trigger): Promise<void> {
    const line = this.#waiting.get(trigger);
    const [first] = line ?? [];
    if (line === undefined || first === undefined) return;
    const [key, make] = first;
    line.delete(key);
    this.#events--;
    if (line.size === 0) this.#waiting.delete(trigger);
    const { book, functions, log, timeoutMs, mayFire } = this.#parts;
    try {
      // It may have been unregistered, or replaced, while the event waited.
      if (book.get(trigger.id) !== trigger || !mayFire(trigger)) return;
      const payload = encode(make(trigger));
      const metadata = trigger.metadata === undefined ? null : encode(trigger.metadata);
      const signal = this.#closing.signal;
      await functions.call(trigger.functionId, { payload, metadata, caller: { workerId: null }, timeoutMs, signal });
    } catch (thrown) {
      const code = (thrown as { code?: unknown }).code ?? 'internal';
      log.debug({ trigger_type: trigger.triggerType, function_id: trigger.functionId, code }, 'event not taken');
    }
  }
}
