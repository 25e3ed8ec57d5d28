// The ledger that runs an interrupted input again, until it counts as poison.

import { ledger } from './ledger.ts';

export default ledger('greenroom:ledger-retrying', { onInterrupt: 'retry', promote: true });
