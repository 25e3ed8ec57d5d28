// What a worker will be when all that was given of it is applied: what is given next is compared with it, and nothing is staged that
// changes nothing.

import type { WireError } from '../errors.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Isolation } from '../protocol/views.ts';
import type { Rest } from '../store/store.ts';
import { isSamePayload } from './tables.ts';

interface Applied {
  readonly state: Payload | null;
  readonly stateVersion: number;
  readonly rest: Rest;
  readonly failure: WireError | null;
}

/** Each `set` returns whether that is a change. */
export class Staged {
  state: Payload | null;
  stateVersion: number;
  rest: Rest;
  isolation: Isolation | null;
  #failure: WireError | null;

  constructor({ state, stateVersion, rest, failure }: Applied, isolation: Isolation | null) {
    this.state = state;
    this.stateVersion = stateVersion;
    this.rest = rest;
    this.isolation = isolation;
    this.#failure = failure;
  }

  setState(state: Payload, stateVersion: number): boolean {
    if (stateVersion === this.stateVersion && isSamePayload(state, this.state)) return false;
    this.state = state;
    this.stateVersion = stateVersion;
    return true;
  }

  setRest(rest: Rest, failure: WireError | null): boolean {
    if (rest === this.rest && JSON.stringify(failure) === JSON.stringify(this.#failure)) return false;
    this.rest = rest;
    this.#failure = failure;
    return true;
  }

  setIsolation(isolation: Isolation | null): boolean {
    if (isolation === this.isolation) return false;
    this.isolation = isolation;
    return true;
  }
}
