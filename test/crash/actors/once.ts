// Runs an input at most once: one that a crash interrupts ends as `unknown`.

import { defineActor } from '../../../lib/actor.ts';
import { firstState, journal, journalInput } from './parts/journal.ts';

export default defineActor({ kind: 'crash-once', input: journalInput, state: firstState, receive: journal });
