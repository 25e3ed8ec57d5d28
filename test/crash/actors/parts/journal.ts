// What an actor of the crash tests does with an input: it says on the side that it runs, works for a while, and adds the input's number to
// the chain that is its state. What it says on the side goes to a file at once, so it outlives the process whatever the store does.

import { appendFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import * as v from 'valibot';
import { ActorError } from '../../../../lib/actor.ts';
import type { ActorContext } from '../../../../lib/actor.ts';
import { chained } from '../../chain.ts';

export interface JournalState {
  count: number;
  chain: string;
}

const number = v.pipe(v.number(), v.safeInteger());

export const journalInput = v.union([
  v.strictObject({ peek: v.literal(true) }),
  v.strictObject({
    n: number,
    workMs: v.optional(number),
    fail: v.optional(v.boolean()),
    pad: v.optional(v.string()),
    /** Who told it from inside a handler, and in which attempt. */
    from: v.optional(v.string()),
    attempt: v.optional(number),
    /** Number of the timer that it comes from. */
    ring: v.optional(number),
  }),
]);
export type JournalInput = v.InferOutput<typeof journalInput>;

export function firstState(): JournalState {
  return { count: 0, chain: '' };
}

/** Says that a handler runs. One line, appended by one write. */
export function witness({ workerId, inputId, attempt }: ActorContext<unknown, unknown>, name: string): void {
  const file = process.env['CRASH_WITNESS'];
  if (file !== undefined) appendFileSync(file, `${workerId} ${inputId} ${name} ${attempt}\n`);
}

/** Adds an input to the chain. Returns what the outcome shows of it. */
export function enter(ctx: ActorContext<unknown, JournalState>, name: string) {
  const { attempt, state } = ctx;
  state.count++;
  state.chain = chained(state.chain, [name, attempt]);
  return { name, attempt, ...state };
}

export async function journal(input: JournalInput, ctx: ActorContext<unknown, JournalState>) {
  if ('peek' in input) return { ...ctx.state };
  const name = input.ring === undefined ? String(input.n) : `${input.n}/${input.ring}`;
  witness(ctx, name);
  if (input.workMs !== undefined) await wait(input.workMs, undefined, { signal: ctx.signal });
  if (input.fail === true) throw new ActorError('asked_to_fail', 'The input asked for it.');
  return enter(ctx, name);
}
