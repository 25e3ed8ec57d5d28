// Holds what actors said on the side, when they ran, against the transcript. The one thing that the checker believes and that is not an
// answer: a file of the actors', which no store can take back.

import type { Account } from './account.ts';
import type { Known } from './evidence.ts';
import type { Run } from './heard.ts';
import type { Verdict } from './verdict.ts';

export function judgeRuns(known: Known, account: Account, verdict: Verdict): void {
  const { workerId, wasDeleted, isVolatile, kind } = known;
  const last = new Map<string, Run>();
  let place = -1;
  verdict.count('runs', known.runs.length);
  for (const run of known.runs) {
    const { name, attempt, inputId } = run;
    const before = last.get(name);
    last.set(name, run);
    const isSaid = attempt === 1 || RUNS_AGAIN.has(kind ?? '');
    if (!isSaid || (before !== undefined && attempt <= before.attempt))
      verdict.find('ran_twice', `${workerId} ${name} in attempt ${attempt} after ${before?.attempt ?? 0}`);
    if (attempt > 1) verdict.count('runs with attempt 2 or more');
    if (known.refused.has(name)) verdict.find('ran_ended', `${workerId} ${name} was refused`);
    if (known.removed.has(name)) verdict.find('ran_ended', `${workerId} ${name} was removed while it waited`);
    if (wasDeleted || account.isTrimmed) continue;
    const booked = account.inputs.get(name);
    if (booked === undefined && isVolatile) continue;
    if (booked?.inputId !== inputId) {
      verdict.find('ran_unaccepted', `${workerId} ${name} ran as ${inputId}, and is ${booked?.inputId ?? 'nothing'}`);
      continue;
    }
    if (booked.end?.type === 'cancelled' && (booked.end.data as { code?: string }).code === 'expired')
      verdict.find('ran_ended', `${workerId} ${name} has expired`);
    // What ran before a crash and was not kept runs again, and then what ran after it.
    if (booked.place < place && attempt === 1)
      verdict.find('order', `${workerId} ${name} ran after what was accepted later`);
    place = booked.place;
  }
  for (const { name, attempt } of account.completed)
    if (last.get(name)?.attempt !== attempt)
      verdict.find('not_run', `${workerId} ${name} completed attempt ${attempt}, ran ${last.get(name)?.attempt ?? 0}`);
}

/** Kinds whose interrupted inputs run again. */
const RUNS_AGAIN = new Set(['crash-again', 'crash-parent']);
