// The rules that say where a URL may lead, in the order in which they are asked. A refusal names the rule and nothing else: neither the
// address nor what a name resolved to, which would let a caller read the network from outside.

import { isIP } from 'node:net';
import { compilePatterns } from '../access/patterns.ts';
import type { Matcher } from '../access/patterns.ts';
import { GreenroomError } from '../errors.ts';
import { compileAddresses, isLoopbackAddress } from './addresses.ts';
import { MAX_URL_CHARS } from './bounds.ts';
import type { EgressOptions, Reach } from './egress.ts';

/** `details.rule` of `url_validation_failed`, and what it says. */
const MESSAGES = {
  invalid_url: 'The URL is not valid.',
  scheme_not_allowed: 'The URL must be one of http or https.',
  credentials_in_url: 'The URL must not hold a user name or a password.',
  https_required: 'The URL must be one of https.',
  host_not_allowed: 'The host of the URL is not among those that may be reached.',
  address_not_allowed: 'The host of the URL is, or leads to, an address that may not be reached.',
  lookup_failed: 'The host of the URL cannot be looked up.',
  loopback_only: 'The URL must lead to this machine and nowhere else.',
} as const;

export type Rule = keyof typeof MESSAGES;

/** Blanks and control characters, which a parser drops, and the backslash, which it takes for a slash: nobody means them. */
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const STRAY = /[\u0000-\u0020\u007f\\]/;
const WITH_AUTHORITY = /^https?:\/\/[^/?#]/i;
const WITH_USER_INFO = /^https?:\/\/[^/?#]*@/i;

/** What a connection is made to, as a URL has it; IPv6 with or without brackets. */
interface Target {
  readonly protocol: string;
  readonly hostname: string;
}

export class Rules {
  readonly #requireHttps: boolean;
  readonly #isAllowedHost: Matcher;
  readonly #isAllowedAddress: (address: string) => boolean;

  constructor({ allowHosts = ['*'], allowAddresses = [], requireHttps = false }: EgressOptions) {
    this.#requireHttps = requireHttps;
    this.#isAllowedHost = compilePatterns(allowHosts.map(toHostPattern));
    this.#isAllowedAddress = compileAddresses(allowAddresses);
  }

  /** Throws `url_validation_failed`. */
  parse(text: string): URL {
    if (text.length > MAX_URL_CHARS || STRAY.test(text) || !URL.canParse(text)) throw refusal('invalid_url');
    const url = new URL(text);
    if (!isHttp(url)) throw refusal('scheme_not_allowed');
    if (!WITH_AUTHORITY.test(text)) throw refusal('invalid_url');
    if (WITH_USER_INFO.test(text)) throw refusal('credentials_in_url');
    return url;
  }

  /** How far a URL reaches by itself, given what its registration may: loopback is for what names this machine. Throws `url_validation_failed`. */
  reachOf(target: Target, allowed: Reach): Reach {
    if (!isHttp(target)) throw refusal('scheme_not_allowed');
    const host = hostOf(target);
    if (allowed === 'loopback' && target.protocol === 'http:' && isLoopbackHost(host)) return 'loopback';
    if (this.#requireHttps && target.protocol !== 'https:') throw refusal('https_required');
    if (!this.#isAllowedHost(host.replace(/\.$/, ''))) throw refusal('host_not_allowed');
    if (isIP(host) !== 0 && !this.#isAllowedAddress(host)) throw refusal('address_not_allowed');
    return 'public';
  }

  /** All that a name leads to; one that may not be reached is enough. Throws `url_validation_failed`. */
  requireAddresses(addresses: readonly { readonly address: string }[], reach: Reach): void {
    const isLoopback = reach === 'loopback';
    const isAllowed = isLoopback ? isLoopbackAddress : this.#isAllowedAddress;
    if (!addresses.every(({ address }) => isAllowed(address)))
      throw refusal(isLoopback ? 'loopback_only' : 'address_not_allowed');
  }
}

export function refusal(rule: Rule, cause?: unknown): GreenroomError {
  return GreenroomError.of('url_validation_failed', { message: MESSAGES[rule], details: { rule }, cause });
}

/** Lower case, as the parser of URLs writes it; IPv6 without brackets. */
export function hostOf({ hostname }: Pick<Target, 'hostname'>): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

/** A pattern in the form of the hosts that it is compared with. */
function toHostPattern(pattern: string): string {
  return pattern
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}

function isHttp({ protocol }: Pick<Target, 'protocol'>): boolean {
  return protocol === 'http:' || protocol === 'https:';
}

/** `localhost`, `127.0.0.0/8` and `::1`: neither `localhost.` nor an IPv4-mapped form. */
function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && isLoopbackAddress(host));
}
