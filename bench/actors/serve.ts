// Echoes inputs, and calls of a function, so that both ways to the same worker can be compared.

import * as v from 'valibot';
import { defineActor } from '../../lib/actor.ts';

export default defineActor({
  kind: 'serve',
  input: v.unknown(),
  receive: (input) => input,
  functions: { echo: { input: v.unknown(), run: (payload) => payload } },
});
