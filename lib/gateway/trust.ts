// Whether a session may register functions that the runtime calls on this very machine. It follows from where its socket comes from, from how
// the upgrade was made and from its policy, all known before its first frame: nothing that it says afterwards counts.

import type { IncomingHttpHeaders } from 'node:http';
import type { Policy } from '../access/policy.ts';
import { isLoopbackAddress } from '../egress/addresses.ts';
import type { Reach } from '../egress/egress.ts';

/** What proxies add; `x-forwarded-*` as well. */
const FORWARDING = new Set(['forwarded', 'via', 'x-real-ip']);

/**
 * Whether somebody has passed the request on: then the socket's peer is a proxy, which says nothing about who is behind it. What the headers
 * say is not read, since anybody can write them; that they are there is enough.
 */
export function isForwarded(headers: IncomingHttpHeaders): boolean {
  return Object.keys(headers).some((name) => FORWARDING.has(name) || name.startsWith('x-forwarded-'));
}

export interface Origin {
  /** Of the socket's other end; null when it has none, as over a Unix socket, or is gone. */
  readonly address: string | null;
  readonly isForwarded: boolean;
}

export function reachOf(origin: Origin, policy: Pick<Policy, 'mayBridge'>): Reach {
  const isLocal = origin.address !== null && isLoopbackAddress(origin.address);
  return policy.mayBridge && !origin.isForwarded && isLocal ? 'loopback' : 'public';
}
