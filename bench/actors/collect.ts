// Collects the garbage of its host, so that what is measured afterwards is what is kept.

import * as v from 'valibot';
import { defineActor } from '../../lib/actor.ts';
import { collectGarbage } from '../support/machine.ts';

export default defineActor({
  kind: 'collect',
  input: v.null(),
  receive: () => {
    collectGarbage();
    return null;
  },
});
