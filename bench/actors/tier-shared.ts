// Answers with what it is asked, on a thread that it shares; the other two tiers are made of it.

import * as v from 'valibot';
import { defineActor } from '../../lib/actor.ts';

export default defineActor({ kind: 'tier-shared', isolation: 'shared', input: v.number(), receive: (asked) => asked });
