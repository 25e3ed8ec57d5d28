// One accepted input, from its acceptance until its outcome. The only object that is made for it on the main thread: link of
// the mailbox, ticket on the wire and entry of the deadline wheel in one. With a key it is its own receipt as well.

import type { GreenroomError, WireError } from '../errors.ts';
import { ORIGIN_MS, toEpochMs } from '../protocol/clock.ts';
import type { Body, Ticket } from '../protocol/frames.ts';
import type { Payload } from '../protocol/payload.ts';
import type { WheelEntry } from '../protocol/wheel.ts';
import type { Outcome } from '../protocol/views.ts';
import type { EndedInput, Ending, InputKey, RestoredInput, StoredInput } from '../store/store.ts';
import type { StagedEffects } from './effects.ts';
import type { HostSlot } from './host-slot.ts';
import type { Link } from './mailbox.ts';

export type { InputKey } from '../store/store.ts';

/** The part of a worker that its inputs refer to. */
export interface InputOwner {
  readonly workerId: string;
  /** The id that callers know an input by. */
  inputId(seq: number): string;
  /** Whether its host has entered the handler for this input. */
  hasStarted(record: InputRecord): boolean;
  /** When that was, on the clock of the runtime; 0 if it was not. */
  startedAt(record: InputRecord): number;
}

/** Whoever waits for an input. One object instead of closures: an ask allocates as little as it can. */
export interface InputListener {
  /** The store keeps it: it may be acknowledged. */
  accepted?(record: InputRecord): void;
  /** The store could not keep it: it has never been there; or the runtime has closed. Nothing else will be told of it. */
  refused?(record: InputRecord, error: GreenroomError): void;
  /** The input has its outcome; its output, if the host answers just now, is `body`. */
  ended(record: InputRecord, body: Body | null): void;
  /** Its deadline passed while it was at the host; it may be running. */
  overdue?(record: InputRecord): void;
}

/** What is known of an input, live or ended, apart from its ids. */
export interface InputFacts {
  readonly owner: InputOwner;
  readonly seq: number;
  readonly attempt: number;
  readonly acceptedAtMs: number;
  /** 0 if it never started, or its host died before it could tell. */
  readonly startedAtMs: number;
  /** 0 until it has ended. */
  readonly endedAtMs: number;
  readonly outcome: Outcome | null;
  readonly output: Payload | null;
  readonly error: WireError | null;
}

/** Receipts of inputs with neighbouring numbers. */
export interface ReceiptPage {
  readonly index: number;
  /** A record while it lives, or has a key; the position in the ring of what has ended without one. */
  readonly entries: (InputRecord | number | undefined)[];
  count: number;
}

/** An input as its receipt tells it: a live record, or what is kept of one that has ended. */
export interface InputInfo extends InputFacts {
  readonly workerId: string;
  readonly inputId: string;
  readonly status: 'waiting' | 'running' | 'ended';
}

export class InputRecord implements InputInfo, StoredInput, Ticket, Link<InputRecord>, WheelEntry {
  readonly seq: number;
  readonly bytes: number;
  readonly owner: InputOwner;
  /** Let go of once it has ended. */
  payload: Payload;
  readonly key: InputKey | null;
  readonly isVolatile: boolean;

  attempt = 1;
  /** The store keeps it, or has nothing to keep. */
  isAccepted = false;
  /** Meant for the worker's host, which gets it when the store has its run. */
  isLent = false;
  /** At the worker's host; it may have started. */
  isSent = false;
  /** Where it will be sent. */
  reservedOn: HostSlot | null = null;
  /** Somebody asked for its end; kept until it comes, and through the death of its host. */
  cancelReason: string | null = null;
  /** Its deadline passed while it was at the host and perhaps not started. */
  isExpired = false;

  isCaused = false;
  /** Runs that the store was asked to reserve and has not told of. */
  startsAtStore = 0;
  /** What waits for its completion. */
  effects: StagedEffects | null = null;

  /** It has an outcome, which may not be kept yet: nobody has been told. */
  isDecided = false;
  outcome: Outcome | null = null;
  /** Encoded; null unless the outcome is `completed`. */
  output: Payload | null = null;
  error: WireError | null = null;
  /** Somebody who waited for the outcome has it: no receipt needs to be kept. */
  isAnswered = false;

  /** On the clock of the runtime. The host tells the start with the outcome: 0 until then, if it never started, and if the host died first. */
  readonly acceptedAt: number;
  #startedAt = 0;
  #endedAt = 0;
  /** 0: none. */
  readonly deadline: number;
  #decided: Outcome | null = null;
  #body: Body | null = null;

  /** Links of the mailbox; once ended, of the receipts. */
  previous: InputRecord | null = null;
  next: InputRecord | null = null;
  /** Links of the deadline wheel. */
  dueAt = 0;
  earlier: WheelEntry | null = null;
  later: WheelEntry | null = null;

  /** Where its receipt lies. */
  page: ReceiptPage | null = null;

  #listener: InputListener | null = null;
  #moreListeners: InputListener[] | null = null;

  /** `acceptedAt` and `deadline` are on the clock of the runtime. */
  constructor(
    owner: InputOwner,
    seq: number,
    payload: Payload,
    bytes: number,
    key: InputKey | null,
    acceptedAt: number,
    deadline: number,
    isVolatile: boolean,
  ) {
    this.owner = owner;
    this.seq = seq;
    this.payload = payload;
    this.bytes = bytes;
    this.key = key;
    this.acceptedAt = acceptedAt;
    this.deadline = deadline;
    this.isVolatile = isVolatile;
  }

  /** An input that an earlier run, or an earlier load of its worker, has accepted. */
  static restored(owner: InputOwner, stored: RestoredInput, bytes: number): InputRecord {
    const { seq, payload, key, acceptedAtMs, deadlineAtMs, attempt } = stored;
    const deadline = deadlineAtMs === 0 ? 0 : toRuntimeClock(deadlineAtMs);
    const record = new InputRecord(owner, seq, payload, bytes, key, toRuntimeClock(acceptedAtMs), deadline, false);
    record.isAccepted = true;
    record.attempt = attempt;
    return record;
  }

  /** One that has ended. */
  static ended(owner: InputOwner, key: InputKey, ended: EndedInput): InputRecord {
    const { seq, acceptedAtMs, attempt, outcome, output, error, startedAtMs, endedAtMs } = ended;
    const record = new InputRecord(owner, seq, '', 0, key, toRuntimeClock(acceptedAtMs), 0, false);
    record.isAccepted = true;
    record.attempt = attempt;
    const startedAt = startedAtMs === 0 ? 0 : toRuntimeClock(startedAtMs);
    record.decide(outcome, output, error, startedAt, toRuntimeClock(endedAtMs));
    record.conclude();
    return record;
  }

  get workerId(): string {
    return this.owner.workerId;
  }

  get inputId(): string {
    return this.owner.inputId(this.seq);
  }

  get acceptedAtMs(): number {
    return toEpochMs(this.acceptedAt);
  }

  /** 0: it waits as long as it takes. */
  get deadlineAtMs(): number {
    return toEpochMs(this.deadline);
  }

  get startedAtMs(): number {
    return toEpochMs(this.#startedAt);
  }

  get endedAtMs(): number {
    return toEpochMs(this.#endedAt);
  }

  get status(): 'waiting' | 'running' | 'ended' {
    if (this.outcome !== null) return 'ended';
    return this.isSent && this.owner.hasStarted(this) ? 'running' : 'waiting';
  }

  /** Tells the listener once, when the outcome is there; at once if it is there already. */
  addListener(listener: InputListener): void {
    if (this.outcome !== null) listener.ended(this, null);
    else if (this.#listener === null) this.#listener = listener;
    else (this.#moreListeners ??= []).push(listener);
  }

  removeListener(listener: InputListener): void {
    if (this.#listener === listener) this.#listener = null;
    else this.#moreListeners = this.#moreListeners?.filter((other) => other !== listener) ?? null;
  }

  /** Tells whoever waits that the deadline has passed; they may stop listening. */
  tellOverdue(): void {
    const more = this.#moreListeners;
    this.#listener?.overdue?.(this);
    for (const listener of more ?? []) listener.overdue?.(this);
  }

  tellAccepted(): void {
    this.isAccepted = true;
    const more = this.#moreListeners;
    this.#listener?.accepted?.(this);
    if (more !== null) for (const listener of [...more]) listener.accepted?.(this);
  }

  /** It has never been there, or will not be heard of. */
  tellRefused(error: GreenroomError): void {
    const first = this.#listener;
    const more = this.#moreListeners;
    this.#listener = null;
    this.#moreListeners = null;
    first?.refused?.(this, error);
    for (const listener of more ?? []) listener.refused?.(this, error);
  }

  /** Decides on the outcome. The first one is the only one. Times are on the clock of the runtime; `body` is valid until the store has it. */
  decide(
    outcome: Outcome,
    output: Payload | null,
    error: WireError | null,
    startedAt: number,
    endedAt: number,
    body: Body | null = null,
  ): void {
    if (this.isDecided) throw new Error('an input has one outcome');
    this.isDecided = true;
    this.#decided = outcome;
    this.output = output;
    this.error = error;
    this.#startedAt = startedAt;
    this.#endedAt = endedAt;
    this.#body = body;
  }

  /** For the store. */
  get ending(): Ending {
    return new DecidedEnding(this, this.#decided as Outcome);
  }

  /** The host's answer is not valid any longer: whoever waits will decode the output. */
  forgetBody(): void {
    this.#body = null;
  }

  /** The outcome is kept: lets go of the input itself and tells whoever waits. */
  conclude(): void {
    this.outcome = this.#decided;
    this.payload = '';
    const first = this.#listener;
    const more = this.#moreListeners;
    const body = this.#body;
    this.#listener = null;
    this.#moreListeners = null;
    this.#body = null;
    first?.ended(this, body);
    // They decode for themselves: two callers must not share one value.
    if (more !== null) for (const listener of more) listener.ended(this, null);
  }
}

/** A view of a record, which has no outcome for others yet. */
class DecidedEnding implements Ending {
  readonly #record: InputRecord;
  readonly outcome: Outcome;

  constructor(record: InputRecord, outcome: Outcome) {
    this.#record = record;
    this.outcome = outcome;
  }

  get output(): Payload | null {
    return this.#record.output;
  }

  get error(): WireError | null {
    return this.#record.error;
  }

  get attempt(): number {
    return this.#record.attempt;
  }

  get acceptedAtMs(): number {
    return this.#record.acceptedAtMs;
  }

  get startedAtMs(): number {
    return this.#record.startedAtMs;
  }

  get endedAtMs(): number {
    return this.#record.endedAtMs;
  }
}

/** 0 is never a time. */
function toRuntimeClock(epochMs: number): number {
  return epochMs - ORIGIN_MS || -1;
}
