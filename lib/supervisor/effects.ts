// What a handler causes besides its answer: inputs that it tells to others, and timers. With a durable input they are kept together with
// its outcome, in one group of the store, or not at all: they wait until the input has completed, and are dropped when it ends in any other way.
//
// Whoever the handler waits for may need them, and what it told first must come first: before an ask, a call, or anything with a channel
// they take effect early.

import { GreenroomError } from '../errors.ts';
import { EFFECT_BYTES_PER_INPUT, EFFECTS_PER_INPUT } from '../limits.ts';
import type { Worker } from './worker.ts';

export interface StagedEffects {
  readonly actions: (() => void)[];
  bytes: number;
  /** Inputs among them, by the worker that they are for. */
  readonly told: Map<string, number>;
}

/**
 * Has it done when the input completes. False if there is nothing to wait for: the input is volatile, or has ended. Throws `worker_busy`
 * for too many. The action must not throw.
 */
export function stage(worker: Worker, inputSeq: number, bytes: number, action: () => void): boolean {
  const record = worker.sentInput(inputSeq);
  if (record === undefined || record.isVolatile) return false;
  const effects: StagedEffects = (record.effects ??= { actions: [], bytes: 0, told: new Map() });
  if (effects.actions.length >= EFFECTS_PER_INPUT || effects.bytes + bytes > EFFECT_BYTES_PER_INPUT)
    throw GreenroomError.of('worker_busy', { message: 'The input has caused as much as one input may.' });
  effects.actions.push(action);
  effects.bytes += bytes;
  return true;
}

/** Like `stage`, for an input to `targetId`: it is the next of so many that wait to be told to it. */
export function stageTold(worker: Worker, inputSeq: number, targetId: string, bytes: number, action: () => void): void {
  if (!stage(worker, inputSeq, bytes, action)) return;
  worker.sentInput(inputSeq)?.effects?.told.set(targetId, toldTo(worker, inputSeq, targetId) + 1);
}

/** How many inputs to that worker wait until the input has completed. */
export function toldTo(worker: Worker, inputSeq: number, targetId: string): number {
  return worker.sentInput(inputSeq)?.effects?.told.get(targetId) ?? 0;
}

/** Has all of it done now. */
export function flush(worker: Worker): void {
  for (const record of worker.sentInputs()) applyEffects(record);
}

export function applyEffects(record: { effects: StagedEffects | null }): void {
  const { effects } = record;
  if (effects === null) return;
  record.effects = null;
  for (const action of effects.actions) action();
}
