// The same on a thread of its own.

import { defineActor } from '../../lib/actor.ts';
import shared from './tier-shared.ts';

export default defineActor({ ...shared, kind: 'tier-dedicated', isolation: 'dedicated' });
