// The restart policy, as a function of past deaths and now: restart after how long, or give up. Deaths are counted per
// worker and only where the worker may have caused them; a neighbour's crash costs a worker a restart, not its budget.

import { MAX_RESTART_BACKOFF_MS, RESTART_BACKOFF_MS } from '../limits.ts';

export interface RestartBudget {
  readonly maxRestarts: number;
  readonly windowMs: number;
}

export type RestartDecision = { readonly type: 'restart'; readonly delayMs: number } | { readonly type: 'giveUp' };

/** The deaths that still count, the oldest first. Times are monotonic (monotonicMs()). */
export function recentDeaths(deathsMs: readonly number[], nowMs: number, budget: RestartBudget): number[] {
  return deathsMs.filter((atMs) => nowMs - atMs < budget.windowMs);
}

/** @param deathsMs deaths within the window, the present one included */
export function decideRestart(deathsMs: readonly number[], budget: RestartBudget): RestartDecision {
  if (deathsMs.length > budget.maxRestarts) return { type: 'giveUp' };
  return { type: 'restart', delayMs: backoffMs(deathsMs.length) };
}

/** The first restart is immediate; then the pause doubles up to the cap. */
export function backoffMs(deaths: number): number {
  return deaths <= 1 ? 0 : Math.min(RESTART_BACKOFF_MS * 2 ** (deaths - 2), MAX_RESTART_BACKOFF_MS);
}
