// The account of a soak: what was sent and what became of it. Every promise is entered before it is waited for, every accepted input is
// looked up until it has an outcome and once more afterwards, and whatever is not as it was promised is a violation.

import { GreenroomError } from '../../lib/errors.ts';
import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import type { Receipt } from '../../lib/protocol/views.ts';
import type { Worked } from './work.ts';

/** What callers may be told while hosts die, workers stop, and mailboxes fill. */
const EXPECTED: ReadonlySet<string> = new Set([
  'as_told',
  'actor_error',
  'cancelled',
  'expired',
  'handler_timeout',
  'host_lost',
  'worker_crashed',
  'poison_input',
  'timeout',
  'call_cycle',
  'worker_busy',
  'worker_active',
  'worker_stopping',
  'worker_stopped',
  'worker_failed',
  'worker_not_found',
  'worker_exists',
]);

/** Beyond the deadline of what was waited for: the machine may be busy. */
const LATE_MS = 5_000;
const LATE_EVERY_MS = 500;
const EXAMPLES = 20;

interface Open {
  readonly what: string;
  readonly dueMs: number;
  isLate: boolean;
  /** Whoever waits for it goes on without it. */
  giveUp(): void;
}

interface Told {
  readonly handle: WorkerHandle;
  /** Null until it has one; then it is looked at once more. */
  outcome: string | null;
}

export class Book {
  readonly #open = new Set<Open>();
  readonly #told = new Map<string, Told>();
  readonly #accused = new Set<string>();
  readonly #lateTimer = setInterval(() => this.#findLate(), LATE_EVERY_MS);
  /** By what was done and how it went. */
  readonly counts: Record<string, number> = {};
  readonly outcomes: Record<string, number> = {};
  violations = 0;
  /** The first of them. */
  readonly examples: string[] = [];

  /** Promises that have not settled. */
  get open(): number {
    return this.#open.size;
  }

  /** Accepted inputs without an outcome, as far as was looked. */
  get waiting(): number {
    let waiting = 0;
    for (const { outcome } of this.#told.values()) if (outcome === null) waiting++;
    return waiting;
  }

  violated(what: string): void {
    this.violations++;
    if (this.examples.length < EXAMPLES) this.examples.push(what);
  }

  /**
   * Waits for something that has to settle in time, and with a value or an error that was to be expected; undefined for the latter, and when
   * it is late.
   */
  settle<T>(
    what: string,
    withinMs: number,
    promise: Promise<T>,
    alsoExpected: readonly string[] = [],
  ): Promise<T | undefined> {
    const dueMs = performance.now() + withinMs + LATE_MS;
    return new Promise((resolve) => {
      const entry: Open = { what, dueMs, isLate: false, giveUp: () => resolve(undefined) };
      this.#open.add(entry);
      promise.then(
        (value) => {
          this.#open.delete(entry);
          this.#count(what, 'done');
          resolve(value);
        },
        (error: unknown) => {
          this.#open.delete(entry);
          const code = error instanceof GreenroomError ? error.code : 'no code';
          this.#count(what, code);
          if (!EXPECTED.has(code) && !alsoExpected.includes(code)) this.violated(`${what}: ${code}: ${String(error)}`);
          resolve(undefined);
        },
      );
    });
  }

  /** An answer of a worker, which says itself whether it is in order. */
  answered(workerId: string, no: number, answer: Worked, extraTimers = 0): void {
    const { disordered, armed, ticked } = answer.state;
    if (answer.no !== no) this.violated(`${workerId}: ${no} was answered as ${answer.no}`);
    if (disordered > 0) this.#violatedOnce(workerId, `${disordered} inputs out of order`);
    if (ticked > armed + extraTimers) this.#violatedOnce(workerId, `${armed} timers fired ${ticked} times`);
  }

  /** Its state shows it again and again. */
  #violatedOnce(workerId: string, what: string): void {
    if (this.#accused.has(workerId)) return;
    this.#accused.add(workerId);
    this.violated(`${workerId}: ${what}`);
  }

  told(handle: WorkerHandle, { inputId }: Receipt): void {
    if (this.#told.has(inputId)) this.violated(`two inputs have the id ${inputId}`);
    this.#told.set(inputId, { handle, outcome: null });
  }

  /** Everything has ended. */
  stop(): void {
    clearInterval(this.#lateTimer);
  }

  #findLate(): void {
    const nowMs = performance.now();
    for (const entry of this.#open) {
      if (entry.isLate || nowMs < entry.dueMs) continue;
      entry.isLate = true;
      entry.giveUp();
      this.violated(`${entry.what} has not settled in time`);
    }
  }

  /** Looks what has become of the accepted inputs. */
  sweep(): void {
    for (const [inputId, told] of this.#told) {
      const outcome = outcomeOf(told.handle, inputId);
      if (outcome === null) continue;
      if (told.outcome === null) {
        told.outcome = outcome;
        this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
        if (outcome === 'evicted') this.violated(`input ${inputId} was accepted, and is not known`);
        continue;
      }
      if (told.outcome !== outcome && outcome !== 'forgotten' && outcome !== 'evicted')
        this.violated(`input ${inputId} had the outcome ${told.outcome} and has ${outcome}`);
      this.#told.delete(inputId);
    }
  }

  #count(what: string, how: string): void {
    const name = `${what}: ${how}`;
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }
}

/** `forgotten`: with its worker. `evicted`: there were too many others, or it was lost. */
function outcomeOf(handle: WorkerHandle, inputId: string): string | null {
  try {
    return handle.input(inputId).outcome ?? null;
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === 'worker_not_found') return 'forgotten';
    if (code === 'input_not_found') return 'evicted';
    throw error;
  }
}
