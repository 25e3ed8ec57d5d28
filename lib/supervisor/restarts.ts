// The restart policy, as a function of past deaths and now: restart after how long, stopped, or failed. Only deaths that are held against
// the worker come here; a neighbour's crash costs it a restart, not its budget, whatever its policy is.
//
//    policy      normal end (exit code 0)     any other death
//    permanent   restart, within the budget   restart, within the budget
//    transient   stopped                      restart, within the budget
//    temporary   stopped                      failed

import type { RestartOptions } from '../actor.ts';
import type { WireError } from '../errors.ts';
import { MAX_RESTART_BACKOFF_MS, RESTART_BACKOFF_MS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import type { DeathView, RestartPolicy } from '../protocol/views.ts';

/** Time without a death after which the pauses begin anew, unless the window is shorter: twice the longest pause, so that the worker was up for half of it. */
export const RESTART_QUIET_MS = 2 * MAX_RESTART_BACKOFF_MS;
/** Deaths that are shown of a worker, the last ones. */
export const DEATHS_SHOWN = 16;

export interface RestartRule {
  readonly policy: RestartPolicy;
  readonly maxRestarts: number;
  readonly withinMs: number;
}

/** A death that was held against its worker. */
export interface PastDeath extends Readonly<DeathView> {
  /** monotonicMs() */
  readonly atMs: number;
  /** It had not come up since the one before. */
  readonly isAtStart: boolean;
}

type Timing = Pick<PastDeath, 'atMs' | 'isAtStart'>;

export type RestartDecision =
  | { readonly type: 'restart'; readonly delayMs: number }
  /** It has ended as it should, and stays away. */
  | { readonly type: 'stopped' }
  | { readonly type: 'failed' };

/** What the actor says, and the limits where it says nothing. */
export function ruleOf(restart: RestartOptions | undefined, limits: Limits): RestartRule {
  const { policy = 'permanent', maxRestarts = limits.maxRestarts, withinMs = limits.restartWindowMs } = restart ?? {};
  return { policy, maxRestarts, withinMs };
}

/**
 * @param deaths the present one is the last, and is now
 * @param isNormal the worker has ended itself, with exit code 0
 * @param random from 0 to below 1
 */
export function decideRestart(
  rule: RestartRule,
  deaths: readonly Timing[],
  isNormal: boolean,
  random: () => number,
): RestartDecision {
  if (isNormal && rule.policy !== 'permanent') return { type: 'stopped' };
  if (rule.policy === 'temporary') return { type: 'failed' };
  if (countOf(deaths, rule) > rule.maxRestarts) return { type: 'failed' };
  return { type: 'restart', delayMs: jittered(backoffMs(streakOf(deaths, rule)), random) };
}

/** The deaths that still matter after one more: those that count, those that the pauses grow with, and those that are shown. Bounded by the budget. */
export function withDeath(deaths: readonly PastDeath[], death: PastDeath, rule: RestartRule): PastDeath[] {
  const all = [...deaths, death];
  const matter = Math.max(countOf(all, rule), streakOf(all, rule));
  return all.slice(-Math.min(matter, Math.max(rule.maxRestarts + 1, DEATHS_SHOWN)));
}

/**
 * How many of the last deaths count against the budget: those within the window, and starts that have failed, until one succeeds: who
 * cannot start is given up however long each attempt takes.
 */
function countOf(deaths: readonly Timing[], { withinMs }: RestartRule): number {
  const nowMs = deaths.at(-1)?.atMs ?? 0;
  let hasNotStarted = true;
  return lastWhile(deaths, ({ atMs, isAtStart }) => {
    hasNotStarted &&= isAtStart;
    return hasNotStarted || nowMs - atMs < withinMs;
  });
}

/** How many of the last deaths came one after the other without a quiet time in between, in which it was up. */
function streakOf(deaths: readonly Timing[], { withinMs }: RestartRule): number {
  const quietMs = Math.min(withinMs, RESTART_QUIET_MS);
  let next = deaths.at(-1);
  return lastWhile(deaths, (death) => {
    const isStreak = next !== undefined && (next.isAtStart || next.atMs - death.atMs < quietMs);
    next = death;
    return isStreak;
  });
}

function lastWhile<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let count = 0;
  while (count < items.length && holds(items.at(-1 - count) as T)) count++;
  return count;
}

/** The first restart is immediate; then the pause doubles up to the cap. */
export function backoffMs(deaths: number): number {
  return deaths <= 1 ? 0 : Math.min(RESTART_BACKOFF_MS * 2 ** (deaths - 2), MAX_RESTART_BACKOFF_MS);
}

/** Between half of the pause and all of it, so that workers that died together do not come back together. */
function jittered(pauseMs: number, random: () => number): number {
  return Math.round(pauseMs * (0.5 + random() / 2));
}

// --- the chain of causes ---

export function deathViews(deaths: readonly PastDeath[]): DeathView[] {
  return deaths.slice(-DEATHS_SHOWN).map(({ at, cause, hostId }) => ({ at, cause, hostId }));
}

/** The failure of a worker that is given up: its last error, with the deaths that led to it. Kept by the store with the worker. */
export function withChain(error: WireError, deaths: readonly PastDeath[]): WireError {
  const chain = deathViews(deaths).map(({ at, cause, hostId }) => ({ at, cause, host_id: hostId }));
  return { ...error, details: { ...error.details, deaths: chain } };
}

/** The chain of a worker that failed before it was loaded. */
export function chainOf(failure: WireError | null): DeathView[] {
  const chain = failure?.details?.['deaths'];
  if (!Array.isArray(chain)) return [];
  return (chain as { at: string; cause: string; host_id: string | null }[]).map(({ at, cause, host_id: hostId }) => ({
    at,
    cause,
    hostId,
  }));
}
