// What it is sent may be lost with the process; what it leaves must fit together all the same.

import { defineActor } from '../../../lib/actor.ts';
import { firstState, journal, journalInput } from './parts/journal.ts';

export default defineActor({
  kind: 'crash-volatile',
  durability: 'volatile',
  input: journalInput,
  state: firstState,
  receive: journal,
});
