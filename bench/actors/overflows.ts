// Pushes onto one array until its process dies of it; or answers.

import * as v from 'valibot';
import { defineActor } from '../../lib/actor.ts';

export default defineActor({
  kind: 'overflows',
  isolation: 'process',
  input: v.strictObject({ overflow: v.boolean() }),
  receive: ({ overflow }) => {
    const all: unknown[] = [];
    while (overflow) all.push([]);
    return all.length;
  },
});
