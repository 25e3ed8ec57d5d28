// The ledger whose interrupted input ends as `unknown`.

import { ledger } from './ledger.ts';

export default ledger('greenroom:ledger', 'unknown');
