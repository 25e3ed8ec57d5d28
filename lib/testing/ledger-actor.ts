// The plain ledger: an interrupted input ends as `unknown`. What it spawns is restarted with its siblings.

import { ledger } from './ledger.ts';

export default ledger('greenroom:ledger', { strategy: 'one_for_all' });
