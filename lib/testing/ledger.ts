// What the workers of a simulation do: they add up, take their time, fail, do not listen, and send each other more to add. Two kinds, one of
// which runs an input again that its host did not survive.

import * as v from 'valibot';
import { defineActor } from '../actor.ts';
import type { ActorContext } from '../actor.ts';
import { ledgerEvents } from './ledger-events.ts';

const whole = v.pipe(v.number(), v.integer());

const input = v.variant('op', [
  v.strictObject({
    op: v.literal('add'),
    /** Number of the input in the simulation; 0 for one that a worker sent. */
    no: whole,
    add: whole,
    takesMs: v.optional(whole, 0),
    how: v.optional(v.picklist(['well', 'throws', 'deaf']), 'well'),
  }),
  v.strictObject({ op: v.literal('later'), no: whole, add: whole, delayMs: whole }),
  v.strictObject({ op: v.literal('tell'), no: whole, add: whole, to: v.string() }),
  v.strictObject({ op: v.literal('ask'), no: whole, add: whole, to: v.string() }),
  v.strictObject({ op: v.literal('spawn'), no: whole, workerId: v.string() }),
  v.strictObject({ op: v.literal('read'), no: whole }),
]);

export type LedgerInput = v.InferInput<typeof input>;
type Parsed = v.InferOutput<typeof input>;
interface LedgerState {
  sum: number;
}
type Context = ActorContext<unknown, LedgerState>;

/** How long one ledger waits for another, in milliseconds. */
const ASK_MS = 2_000;

export function ledger(kind: string, onInterrupt: 'unknown' | 'retry') {
  return defineActor({
    kind,
    onInterrupt,
    input,
    state: () => ({ sum: 0 }),
    receive: async (task, ctx): Promise<{ added: number; sum: number }> => {
      const end = ledgerEvents.began(ctx.workerId, task.no, ctx.attempt);
      try {
        const added = await run(task, ctx);
        ctx.state.sum += added;
        return { added, sum: ctx.state.sum };
      } finally {
        end();
      }
    },
  });
}

async function run(task: Parsed, ctx: Context): Promise<number> {
  switch (task.op) {
    case 'add':
      if (task.takesMs > 0) await pause(task.takesMs, task.how === 'deaf' ? undefined : ctx.signal);
      if (task.how === 'throws') throw new Error('as it was told');
      return task.add;
    case 'later':
      ctx.after(task.delayMs, { op: 'add', no: 0, add: task.add });
      return 0;
    case 'tell':
      await ctx.tell(task.to, { op: 'add', no: 0, add: task.add });
      return 0;
    case 'ask':
      await ctx.ask(task.to, { op: 'add', no: 0, add: task.add }, { timeoutMs: ASK_MS });
      return 0;
    case 'spawn':
      await ctx.create({ kind: 'greenroom:ledger', workerId: task.workerId });
      return 0;
    case 'read':
      return 0;
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new Error('told to end'));
    });
  });
}
