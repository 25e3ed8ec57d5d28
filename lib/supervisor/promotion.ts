// Promotion: a worker whose actor has `promote: true` comes back one tier up after a death that its tier did not contain. Undone by deleting
// the worker and creating it again; `restore` keeps it.

import type { Logger } from '../observe/log.ts';
import { epochNow } from '../protocol/clock.ts';
import { ISOLATIONS } from '../protocol/views.ts';
import type { Isolation, Verdict } from '../protocol/views.ts';
import type { Death } from './deaths.ts';
import type { Worker } from './worker.ts';

/** Causes of ends that a tier above contains: memory that was full by itself, or was found to be. */
const OF_MEMORY: ReadonlySet<string> = new Set(['out_of_memory', 'memory']);

/** Where a worker runs after a death that it is to blame for; null if it stays. `verdict`: what was said of its host when it was killed. */
export function tierAfter(isolation: Isolation, cause: string, verdict: Verdict | null): Isolation | null {
  if (!OF_MEMORY.has(cause) && verdict !== 'native_block') return null;
  return ISOLATIONS[ISOLATIONS.indexOf(isolation) + 1] ?? null;
}

/** The one that contains more: what an actor says may have changed since its worker was promoted. */
export function higherTier(one: Isolation, other: Isolation): Isolation {
  return ISOLATIONS.indexOf(one) > ISOLATIONS.indexOf(other) ? one : other;
}

/** To be called for whoever a death is held against, before it is started again. */
export function promote(worker: Worker, { cause, kill }: Death, log: Logger): void {
  if (worker.actor.definition.promote !== true) return;
  const from = worker.isolation;
  const verdict = kill?.certificate.verdict ?? null;
  const to = tierAfter(from, cause, verdict);
  if (to === null) return;
  worker.store.saveIsolation(to);
  worker.store.append(
    'promoted',
    epochNow(),
    0,
    JSON.stringify({ from, to, cause, ...(verdict !== null && { verdict }) }),
  );
  log.warn({ worker_id: worker.workerId, kind: worker.kind, from, to, cause }, 'worker promoted');
}
