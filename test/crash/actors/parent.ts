// Tells other workers inside its handler: they must have the inputs if its own has an outcome, and must not if it has none.

import { setTimeout as wait } from 'node:timers/promises';
import * as v from 'valibot';
import { defineActor } from '../../../lib/actor.ts';
import { enter, firstState, witness } from './parts/journal.ts';

const number = v.pipe(v.number(), v.safeInteger());

export default defineActor({
  kind: 'crash-parent',
  onInterrupt: 'retry',
  input: v.union([
    v.strictObject({ peek: v.literal(true) }),
    v.strictObject({ n: number, children: v.array(v.string()), workMs: v.optional(number) }),
  ]),
  state: firstState,
  receive: async (input, ctx) => {
    if ('peek' in input) return { ...ctx.state };
    const { n, children, workMs } = input;
    witness(ctx, String(n));
    const told = [];
    for (const workerId of children) {
      const inputId = await ctx.tell(workerId, { n, from: ctx.workerId, attempt: ctx.attempt });
      told.push({ workerId, inputId });
    }
    if (workMs !== undefined) await wait(workMs, undefined, { signal: ctx.signal });
    return { ...enter(ctx, String(n)), told };
  },
});
