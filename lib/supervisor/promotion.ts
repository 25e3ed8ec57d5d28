// Promotion: a worker whose actor has `promote: true` comes back one tier up after a death that its tier did not contain. Undone by deleting
// the worker and creating it again; `restore` keeps it.

import type { Logger } from '../observe/log.ts';
import { epochNow } from '../protocol/clock.ts';
import { ISOLATIONS } from '../protocol/views.ts';
import type { Isolation } from '../protocol/views.ts';
import type { Death } from './deaths.ts';
import type { Worker } from './worker.ts';

/** Ends of a host that are the business of its tier: its memory was full, or native code in it did not return. Causes and verdicts. */
const UNCONTAINED: ReadonlySet<string> = new Set(['out_of_memory', 'memory', 'native_block']);

/** Where a worker runs after a death that it is to blame for; null if it stays. `verdict`: what was said of its host when it was killed. */
export function tierAfter(isolation: Isolation, cause: string, verdict: string | null): Isolation | null {
  if (!UNCONTAINED.has(cause) && (verdict === null || !UNCONTAINED.has(verdict))) return null;
  return ISOLATIONS[ISOLATIONS.indexOf(isolation) + 1] ?? null;
}

/** The one that contains more: what an actor says may have changed since its worker was promoted. */
export function higherTier(one: Isolation, other: Isolation): Isolation {
  return ISOLATIONS.indexOf(one) > ISOLATIONS.indexOf(other) ? one : other;
}

/** To be called for whoever a death is held against, before it is started again. */
export function promote(worker: Worker, { cause, details }: Death, log: Logger): void {
  if (worker.actor.definition.promote !== true) return;
  const from = worker.isolation;
  const verdict = details?.['verdict'];
  const to = tierAfter(from, cause, typeof verdict === 'string' ? verdict : null);
  if (to === null) return;
  worker.store.saveIsolation(to);
  worker.store.append('promoted', epochNow(), 0, JSON.stringify({ from, to, cause }));
  log.warn({ worker_id: worker.workerId, kind: worker.kind, from, to, cause }, 'worker promoted');
}
