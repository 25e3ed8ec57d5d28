// The actor of probes: what it gets is handed to the test that holds the probe, in the same thread, and answered as the test says.

import * as v from 'valibot';
import { defineActor } from '../actor.ts';
import { received } from './probe-inputs.ts';

export default defineActor({
  kind: 'greenroom:probe',
  description: 'A worker whose inputs a test waits for.',
  idleAfterMs: 0,
  input: v.unknown(),
  receive: (input, ctx) => received(ctx.workerId, input),
});
