// What the workers of a soak do. Each keeps the number of the last input that it has handled, so it sees for itself whether one came twice
// or too late; and it counts the timers that it has set and those that came.

import * as v from 'valibot';
import { ActorError, defineActor } from '../../lib/actor.ts';
import type { ActorDefinition } from '../../lib/actor.ts';

const no = v.number();
const Input = v.variant('op', [
  v.strictObject({ op: v.literal('work'), no, takesMs: v.optional(v.number(), 0) }),
  v.strictObject({ op: v.literal('fail'), no }),
  v.strictObject({ op: v.literal('later'), no, ms: v.number() }),
  v.strictObject({ op: v.literal('beat'), no, ms: v.number() }),
  v.strictObject({ op: v.literal('still'), no }),
  v.strictObject({ op: v.literal('ask'), no, worker: v.string() }),
  v.strictObject({ op: v.literal('spawn'), no, kind: v.string(), worker: v.string() }),
  /** Of timers, and of other workers: they have no number. */
  v.strictObject({ op: v.picklist(['tick', 'beaten', 'read']) }),
]);

export type WorkInput = v.InferInput<typeof Input>;

export interface WorkState {
  last: number;
  /** Inputs that came after one with a higher number, or twice. */
  disordered: number;
  /** Timers that were set, at most, and those that came. */
  armed: number;
  ticked: number;
  beats: number;
}

export interface Worked {
  no: number;
  pid: number;
  state: WorkState;
}

const BEAT = 'beat';
const ASK_MS = 3_000;

export function work<Kind extends string>(
  kind: Kind,
  how: Pick<ActorDefinition, 'isolation' | 'onInterrupt' | 'idleAfterMs' | 'strategy'>,
) {
  return defineActor({
    ...how,
    kind,
    input: Input,
    state: (): WorkState => ({ last: 0, disordered: 0, armed: 0, ticked: 0, beats: 0 }),
    receive: async (input, ctx): Promise<Worked> => {
      const { state } = ctx;
      const number = 'no' in input ? input.no : 0;
      if (number > 0) {
        if (number <= state.last) state.disordered++;
        state.last = number;
      }
      switch (input.op) {
        case 'work':
          if (input.takesMs > 0) await pause(input.takesMs, ctx.signal);
          break;
        case 'fail':
          throw new ActorError('as_told', 'As told.');
        case 'later':
          ctx.after(input.ms, { op: 'tick' });
          // With a memory store each attempt sets one at once.
          state.armed += ctx.attempt;
          break;
        case 'beat':
          ctx.every(input.ms, { op: 'beaten' }, { name: BEAT });
          break;
        case 'still':
          ctx.cancelTimer(BEAT);
          break;
        case 'ask':
          await ctx.ask(input.worker, { op: 'read' }, { timeoutMs: ASK_MS });
          break;
        case 'spawn':
          await ctx.create({ kind: input.kind, workerId: input.worker });
          break;
        case 'tick':
          state.ticked++;
          break;
        case 'beaten':
          state.beats++;
          ctx.emit(state.beats);
          break;
        case 'read':
          break;
      }
      return { no: number, pid: process.pid, state: { ...state } };
    },
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new Error('told to end'));
    });
  });
}
