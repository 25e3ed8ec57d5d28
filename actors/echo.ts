// Answers with what it was sent: the smallest actor, for trying out a runtime and for measuring the way there and back.
// Keeps nothing, so a restart cannot be noticed.

import * as v from 'valibot';
import { defineActor } from '../lib/actor.ts';

export default defineActor({
  kind: 'echo',
  description: 'Answers every input with the input itself. Any JSON.',
  config: v.optional(v.strictObject({}), {}),
  input: v.unknown(),
  output: v.unknown(),
  onInterrupt: 'retry', // without an effect, running it twice does no harm
  receive: (input) => input,
});
