// The ledger with a host of its own, whose inputs may not take long.

import { ledger } from './ledger.ts';

/** Shorter than the longest input of a simulation. */
const HANDLER_TIMEOUT_MS = 1_000;

export default ledger('greenroom:ledger-alone', { isolation: 'dedicated', handlerTimeoutMs: HANDLER_TIMEOUT_MS });
