// Sets timers inside its handler: each must ring once if the input has completed, and must not if it has not.

import { setTimeout as wait } from 'node:timers/promises';
import * as v from 'valibot';
import { defineActor } from '../../../lib/actor.ts';
import { enter, firstState, journal, journalInput, witness } from './parts/journal.ts';

const number = v.pipe(v.number(), v.safeInteger());

export default defineActor({
  kind: 'crash-alarm',
  input: v.union([journalInput, v.strictObject({ n: number, delaysMs: v.array(number), workMs: v.optional(number) })]),
  state: firstState,
  receive: async (input, ctx) => {
    if (!('delaysMs' in input)) return journal(input, ctx);
    const { n, delaysMs, workMs } = input;
    witness(ctx, String(n));
    for (const [ring, delayMs] of delaysMs.entries()) ctx.after(delayMs, { n, ring });
    if (workMs !== undefined) await wait(workMs, undefined, { signal: ctx.signal });
    return { ...enter(ctx, String(n)), rings: delaysMs.length };
  },
});
