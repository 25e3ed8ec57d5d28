// When something that happens again and again happens next: after a period, or by a cron pattern. A time follows from the schedule and not from
// when the one before was through, and times that have passed are left out: nothing bunches up after a pause.

import { createRequire } from 'node:module';
import type * as Croner from 'croner';
import { GreenroomError } from '../errors.ts';
import { MAX_WAIT_MS } from '../limits.ts';

/** Times by a cron pattern: five fields, or six with seconds first. */
export interface CronSchedule {
  readonly cron: string;
  /** An IANA name, such as `Europe/Berlin`. */
  readonly timeZone: string;
}

/** A period in ms, or a pattern. */
export type Repeat = number | CronSchedule;

/** What waits does so in steps of 10 ms: see Wheel. */
const MIN_PERIOD_MS = 10;
const MAX_PATTERN_CHARS = 128;
/** Names of days and months, numbers, and what croner makes lists, ranges, steps and last days of. Neither nicknames nor dates. */
const PATTERN = /^[\w*,/+#-]+( +[\w*,/+#-]+){4,5}$/;
/** Patterns that are parsed; beyond, all are parsed again. */
const MAX_PARSED = 256;

const parsed = new Map<string, Croner.Cron>();

/** Throws `invalid_request`. */
export function requireDelay(delayMs: unknown): number {
  if (typeof delayMs === 'number' && delayMs >= 0 && delayMs <= MAX_WAIT_MS) return delayMs;
  throw invalid(`delayMs must be between 0 and ${MAX_WAIT_MS}.`);
}

/** `every`: a period in ms, or a pattern. Throws `invalid_request`, for a pattern that never comes, too. */
export function requireRepeat(every: unknown, timeZone: unknown = 'UTC'): Repeat {
  if (typeof every === 'number') {
    if (every >= MIN_PERIOD_MS && every <= MAX_WAIT_MS) return every;
    throw invalid(`A period is between ${MIN_PERIOD_MS} and ${MAX_WAIT_MS} ms.`);
  }
  if (typeof every !== 'string' || every.length > MAX_PATTERN_CHARS || !PATTERN.test(every.trim()))
    throw invalid('A cron pattern has five fields, or six with seconds first.');
  if (typeof timeZone !== 'string') throw invalid('A time zone is an IANA name, such as Europe/Berlin.');
  const schedule = { cron: every.trim(), timeZone };
  if (nextTime(schedule, Date.now(), Date.now()) === null) throw invalid('The cron pattern never comes.');
  return schedule;
}

/**
 * The next time after `nowMs`, in epoch ms, for something that was due at `dueAtMs`; null if there is none. Throws `invalid_request`
 * for a pattern or a time zone that is none.
 */
export function nextTime(repeat: Repeat, dueAtMs: number, nowMs: number): number | null {
  if (typeof repeat === 'number') return dueAtMs + (Math.max(0, Math.floor((nowMs - dueAtMs) / repeat)) + 1) * repeat;
  try {
    const next = cronOf(repeat).nextRun(new Date(Math.max(dueAtMs, nowMs)));
    return next === null ? null : next.getTime();
  } catch (cause) {
    throw invalid('The cron pattern or its time zone is none.', cause);
  }
}

function cronOf({ cron, timeZone }: CronSchedule): Croner.Cron {
  const key = `${timeZone} ${cron}`;
  const known = parsed.get(key);
  if (known !== undefined) return known;
  // Loaded with the first pattern, and at once: whoever sets a timer is told that its pattern is none.
  const { Cron: Pattern } = createRequire(import.meta.url)('croner') as typeof Croner;
  const made = new Pattern(cron, { paused: true, mode: '5-or-6-parts', timezone: timeZone });
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(key, made);
  return made;
}

function invalid(message: string, cause?: unknown): GreenroomError {
  return GreenroomError.of('invalid_request', { message, cause });
}
