// Runs an input again when a crash has interrupted it.

import { defineActor } from '../../../lib/actor.ts';
import { firstState, journal, journalInput } from './parts/journal.ts';

export default defineActor({
  kind: 'crash-again',
  onInterrupt: 'retry',
  input: journalInput,
  state: firstState,
  receive: journal,
});
