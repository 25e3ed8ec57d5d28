// The ledger that runs an interrupted input again.

import { ledger } from './ledger.ts';

export default ledger('greenroom:ledger-retrying', 'retry');
