// Inputs on their way to a host: taken from the mailbox as credits and the host's window allow, and sent when the store has their runs.

import { CREDIT_BYTES_PER_WORKER, CREDITS_PER_QUICK_WORKER, CREDITS_PER_WORKER, SLICE_MS } from '../limits.ts';
import type { HostSlot } from './host-slot.ts';
import type { InputRecord } from './input.ts';
import type { Worker } from './worker.ts';

export class Lending {
  readonly #wake: (worker: Worker) => void;
  readonly #onTimedSent: (worker: Worker, record: InputRecord) => void;
  /** Inputs that are at their hosts, or about to be sent. */
  #lent = 0;
  #isHalted = false;
  #onQuiet: (() => void) | null = null;

  /** `wake` is called for a hibernated worker that has got an input, `onTimedSent` for an input whose run is timed. */
  constructor(wake: (worker: Worker) => void, onTimedSent: (worker: Worker, record: InputRecord) => void) {
    this.#wake = wake;
    this.#onTimedSent = onTimedSent;
  }

  /** Hands the host as many of the worker's inputs as credits and the host's window allow. */
  offer(worker: Worker): void {
    const { mailbox, host } = worker;
    if (mailbox.size === mailbox.lent || this.#isHalted) return;
    if (host === null && worker.status === 'hibernated' && !worker.actor.isMissing) this.#wake(worker);
    if (host === null || worker.isBlocked || !worker.takesInputs) return;
    // Its host is being emptied: what waits runs on the next one. What is stopping is through with its inputs here.
    if (host.onWaiting !== null && worker.stopping === null) {
      if (mailbox.lent === 0) host.onWaiting(worker);
      return;
    }
    while (hasCredit(worker)) {
      if (!host.hasRoom && mailbox.size > mailbox.lent) {
        worker.isBlocked = true;
        host.blocked.push(worker);
        return;
      }
      const record = mailbox.lend();
      if (record === null) return;
      record.isLent = true;
      this.#lent++;
      if (worker.status !== 'running') worker.apply('engaged');
      if (record.isVolatile && record.previous?.isSent !== false) {
        // Of its run nothing is kept, and nothing waits in front of it for the store.
        this.#send(worker, host, record);
        continue;
      }
      record.reservedOn = host;
      host.reserved++;
      // What the store does not have to keep must not overtake what it has not kept yet.
      if (record.isVolatile) continue;
      record.startsAtStore++;
      worker.store.start(record);
    }
  }

  #send(worker: Worker, slot: HostSlot, record: InputRecord): void {
    record.isSent = true;
    slot.host.send(worker.slot, record);
    if (worker.actor.handlerTimeoutMs > 0) this.#onTimedSent(worker, record);
  }

  /** Volatile inputs that stood behind one which has been sent, or has left. */
  startFollowers(worker: Worker, first: InputRecord | null): void {
    if (!worker.takesInputs) return;
    for (let record = first; record?.isVolatile === true && record.reservedOn !== null; record = record.next) {
      record.startsAtStore++;
      worker.store.start(record);
    }
  }

  /** Has the next ones in line go, if there is room for them. */
  offerBlocked(host: HostSlot): void {
    while (host.blocked.length > 0 && host.hasRoom) {
      const worker = host.blocked.shift() as Worker;
      if (worker.host !== host) continue;
      worker.isBlocked = false;
      this.offer(worker);
    }
  }

  /** Its run is kept: the host may have it, unless something has come between. */
  started(record: InputRecord): void {
    // An earlier run of it, which was taken back.
    if (--record.startsAtStore > 0) return;
    const slot = unreserve(record);
    if (slot === null) return;
    const worker = record.owner as Worker;
    if (record.isLent && worker.host === slot) {
      this.#send(worker, slot, record);
      if (!record.isVolatile) this.startFollowers(worker, record.next);
    }
    if (slot.blocked.length > 0) this.offerBlocked(slot);
  }

  /** It was at a host that is dead, or has dropped its worker. The caller recalls the mailbox. */
  waitAgain(record: InputRecord): void {
    this.takeBack(record);
    unreserve(record);
  }

  /** Not at a host any longer, or not meant for it: it ends, or waits again. */
  takeBack(record: InputRecord): void {
    if (!record.isLent) return;
    record.isLent = false;
    record.isSent = false;
    // Of an attempt that did not complete.
    record.effects = null;
    if (--this.#lent === 0) this.#onQuiet?.();
  }

  /** From now on nothing more is sent to hosts. Resolves when nothing is there any more. */
  halt(): Promise<void> {
    this.#isHalted = true;
    return new Promise((resolve) => {
      this.#onQuiet = resolve;
      if (this.#lent === 0) resolve();
    });
  }
}

/** Whether the worker's host may be handed one more of its inputs. */
function hasCredit({ mailbox, serviceMs }: Worker): boolean {
  const { lent, lentBytes, first } = mailbox;
  if (lent === 0) return true;
  // What runs again runs alone: a store knows what was at the host when a process ended, not what of it was running, and what only
  // stood behind the culprit must not become poison with it.
  if (first !== null && first.attempt > 1) return false;
  if (lentBytes >= CREDIT_BYTES_PER_WORKER) return false;
  return lent < CREDITS_PER_WORKER || (lent < CREDITS_PER_QUICK_WORKER && lent * serviceMs < SLICE_MS);
}

/** Does not wait for its run any longer. Returns where it would have run. */
export function unreserve(record: InputRecord): HostSlot | null {
  const slot = record.reservedOn;
  if (slot === null) return null;
  record.reservedOn = null;
  slot.reserved--;
  return slot;
}
