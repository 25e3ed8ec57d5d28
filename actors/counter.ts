// Adds up numbers: the smallest actor with a state. The total survives the death of the host.
// Output and state are refused together when the sum leaves the numbers that JSON can hold.

import * as v from 'valibot';
import { defineActor } from '../lib/actor.ts';

export default defineActor({
  kind: 'counter',
  description: 'Adds each input to a running total and answers with the total.',
  config: v.optional(v.strictObject({ start: v.optional(v.number(), 0) }), {}),
  input: v.strictObject({ add: v.number() }),
  output: v.pipe(v.number(), v.minValue(-Number.MAX_VALUE), v.maxValue(Number.MAX_VALUE)),
  state: (config) => ({ total: config.start }),
  receive: (input, ctx) => {
    ctx.state.total += input.add;
    return ctx.state.total;
  },
});
