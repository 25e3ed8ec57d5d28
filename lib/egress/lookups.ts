// The look-ups of names that are under way: one for each name at a time, however many connections wait for it, and a bounded number of names.
// Nothing is kept once it is answered, so that every new connection goes by what the name leads to now.

import { ADDRCONFIG, lookup as systemLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { GreenroomError } from '../errors.ts';
import { MAX_LOOKUPS } from './bounds.ts';

/** As `dns.lookup`, with the one set of options that is used here. */
export type Lookup = (
  host: string,
  options: { readonly all: true; readonly hints: number },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

export class Lookups {
  readonly #lookup: Lookup;
  readonly #pending = new Map<string, Promise<LookupAddress[]>>();

  constructor(lookup: Lookup = systemLookup) {
    this.#lookup = lookup;
  }

  /** All addresses of a name, at least one. Rejects with the error of the system, or `runtime_overloaded`. Cannot be ended early. */
  addressesOf(host: string): Promise<LookupAddress[]> {
    const pending = this.#pending.get(host);
    if (pending !== undefined) return pending;
    if (this.#pending.size >= MAX_LOOKUPS) return Promise.reject(tooMany());
    const started = this.#start(host).finally(() => this.#pending.delete(host));
    this.#pending.set(host, started);
    return started;
  }

  #start(host: string): Promise<LookupAddress[]> {
    return new Promise((resolve, reject) => {
      this.#lookup(host, { all: true, hints: ADDRCONFIG }, (error, addresses) => {
        if (error !== null) reject(error);
        else if (addresses.length === 0) reject(new Error('The name has no address.'));
        else resolve(addresses);
      });
    });
  }
}

function tooMany(): GreenroomError {
  return GreenroomError.of('runtime_overloaded', {
    message: 'The runtime looks up as many names as it may.',
    details: { limit: MAX_LOOKUPS },
  });
}
