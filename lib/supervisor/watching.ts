// Who wants to know when a worker ends (`ctx.watch`). Each watch brings one notice, through the mailbox of the worker that watches, which is
// woken by it; one that finds the mailbox full is tried again. Kept in memory: a watch lasts until its notice has been accepted, or its
// worker takes it back or ends itself, and not beyond the end of the process.

import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { encodeEnded } from '../host/ended-notices.ts';
import { WATCHES_PER_WORKER } from '../limits.ts';
import type { Logger } from '../observe/log.ts';
import type { EndedEvent } from '../protocol/ended-event.ts';
import type { Wheel, WheelTimer } from '../protocol/wheel.ts';
import type { Admission } from './admission.ts';
import type { Directory } from './directory.ts';
import type { InputRecord } from './input.ts';
import type { Worker } from './worker.ts';

/** After a refusal that may pass. */
const RETRY_MS = 100;

export interface WatchingParts {
  readonly directory: Directory<Worker>;
  readonly admission: Admission;
  readonly log: Logger;
  readonly wheel: Wheel;
}

interface Watch {
  readonly watcherId: string;
  readonly targetId: string;
  /** It has ended, and the notice is to be delivered. */
  event: EndedEvent | null;
  retry: WheelTimer | null;
}

export class Watching {
  readonly #parts: WatchingParts;
  /** By the worker that watches and the one that is watched. */
  readonly #watches = new Map<string, Map<string, Watch>>();
  /** By the worker that is watched. */
  readonly #watchers = new Map<string, Set<Watch>>();
  #isOver = false;

  constructor(parts: WatchingParts) {
    this.#parts = parts;
  }

  close(): void {
    this.#isOver = true;
    for (const watches of this.#watches.values()) for (const { retry } of watches.values()) retry?.cancel();
    this.#watches.clear();
    this.#watchers.clear();
  }

  /**
   * A worker watches another from now on; twice is once. The notice comes at once if that one has ended, or is not there. Throws
   * `unsupported_operation` (its actor has no `ended`, it is itself, or that one is no worker), `invalid_worker_id`, or `worker_busy` (too many watches).
   */
  watch(watcher: Worker, targetId: string): void {
    const { workerId } = watcher;
    if (watcher.actor.definition.ended === undefined) throw unsupported('Without `ended`, an actor cannot watch.');
    if (workerId === targetId) throw unsupported('A worker cannot watch itself.');
    const target = this.#find(targetId);
    const watches = this.#watches.get(workerId) ?? new Map<string, Watch>();
    if (watches.has(targetId)) return;
    if (watches.size >= WATCHES_PER_WORKER)
      throw GreenroomError.of('worker_busy', { message: 'The worker watches too many others.' });
    const watch: Watch = { watcherId: workerId, targetId, event: null, retry: null };
    this.#watches.set(workerId, watches.set(targetId, watch));
    const watchers = this.#watchers.get(targetId) ?? new Set();
    this.#watchers.set(targetId, watchers.add(watch));
    if (target === undefined) this.#tell(watch, { workerId: targetId, reason: 'deleted' });
    else if (target.status === 'stopped') this.#tell(watch, { workerId: targetId, reason: 'stopped' });
    else if (target.status === 'failed') this.#tell(watch, failed(targetId, target.failure));
  }

  /** Does nothing when there is no such watch. A notice that is in the mailbox by now arrives all the same. */
  unwatch(watcherId: string, targetId: string): void {
    const watch = this.#watches.get(watcherId)?.get(targetId);
    if (watch !== undefined) this.#drop(watch);
  }

  /** The worker has ended: whoever watches it is told. */
  ended(workerId: string, reason: 'stopped' | 'deleted'): void {
    this.#tellAll({ workerId, reason });
  }

  failed(workerId: string, error: WireError): void {
    this.#tellAll(failed(workerId, error));
  }

  /** It watches nobody any more: it is being stopped, has failed, or is no more. */
  forget(watcherId: string): void {
    for (const watch of [...(this.#watches.get(watcherId)?.values() ?? [])]) this.#drop(watch);
  }

  /** Undefined if there is none. Throws as `watch` does. */
  #find(targetId: string): Worker | undefined {
    try {
      return this.#parts.directory.require(targetId);
    } catch (thrown) {
      if (asGreenroomError(thrown).code === 'worker_not_found') return undefined;
      throw thrown;
    }
  }

  #tellAll(event: EndedEvent): void {
    for (const watch of [...(this.#watchers.get(event.workerId) ?? [])])
      if (watch.event === null) this.#tell(watch, event);
  }

  #tell(watch: Watch, event: EndedEvent): void {
    if (this.#isOver) return;
    watch.event = event;
    watch.retry = null;
    const { directory, admission, log, wheel } = this.#parts;
    try {
      const watcher = directory.require(watch.watcherId);
      const record = admission.notice(watcher, encodeEnded(event));
      this.#drop(watch);
      record.addListener({ ended: () => undefined, refused: () => this.#tellAgain(record, event) });
    } catch (thrown) {
      const { code, retryable } = asGreenroomError(thrown);
      if (retryable) {
        watch.retry = wheel.after(RETRY_MS, () => this.#tell(watch, event));
        return;
      }
      this.#drop(watch);
      log.warn({ worker_id: watch.watcherId, code }, 'notice of an end refused');
    }
  }

  /** The store could not keep it. */
  #tellAgain({ workerId }: InputRecord, event: EndedEvent): void {
    const watches = this.#watches.get(workerId) ?? new Map<string, Watch>();
    if (this.#isOver || watches.has(event.workerId)) return;
    const watch: Watch = { watcherId: workerId, targetId: event.workerId, event, retry: null };
    this.#watches.set(workerId, watches.set(event.workerId, watch));
    watch.retry = this.#parts.wheel.after(RETRY_MS, () => this.#tell(watch, event));
  }

  #drop(watch: Watch): void {
    const { watcherId, targetId } = watch;
    watch.retry?.cancel();
    const watches = this.#watches.get(watcherId);
    if (watches?.get(targetId) === watch && watches.delete(targetId) && watches.size === 0)
      this.#watches.delete(watcherId);
    const watchers = this.#watchers.get(targetId);
    if (watchers?.delete(watch) === true && watchers.size === 0) this.#watchers.delete(targetId);
  }
}

function failed(workerId: string, error: WireError | null): EndedEvent {
  return { workerId, reason: 'failed', ...(error !== null && { error }) };
}

function unsupported(message: string): GreenroomError {
  return GreenroomError.of('unsupported_operation', { message });
}
