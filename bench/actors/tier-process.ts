// The same on a process of its own.

import { defineActor } from '../../lib/actor.ts';
import shared from './tier-shared.ts';

export default defineActor({ ...shared, kind: 'tier-process', isolation: 'process' });
