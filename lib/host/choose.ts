// Which hosts a runtime has: threads, or the main thread.

import { availableParallelism } from 'node:os';
import { GreenroomError } from '../errors.ts';
import type { HostFactory } from './host.ts';
import { InlineHosts } from './inline.ts';
import type { InlineHostsOptions } from './inline.ts';
import { HostPool } from './pool.ts';

/** Makes the hosts once the runtime knows what they need; `count` of them are shared. */
export type MakeHosts = (parts: InlineHostsOptions) => { readonly factory: HostFactory; readonly count: number };

/** More threads than this gain nothing before the main thread is the limit. */
const MAX_HOSTS = 256;
const MAX_DEFAULT_HOSTS = 8;

/** `given`: threads, 0 for none, undefined for as many as the machine is worth. Throws `invalid_option`. */
export function chooseHosts(given: number | undefined): MakeHosts {
  const count = given ?? Math.min(Math.max(availableParallelism() - 1, 1), MAX_DEFAULT_HOSTS);
  if (!Number.isSafeInteger(count) || count < 0 || count > MAX_HOSTS) {
    throw GreenroomError.of('invalid_option', {
      message: `hosts must be a whole number from 0 to ${MAX_HOSTS}, not ${String(given)}`,
    });
  }
  if (count === 0) return (parts) => ({ factory: new InlineHosts(parts), count: 1 });
  return (parts) => ({ factory: new HostPool({ ...parts, maxHosts: count }), count });
}
