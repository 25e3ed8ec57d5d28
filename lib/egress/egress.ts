// Where the requests of the runtime may go, and with which secrets: the contract, and what an operator may say of it. Everything that leaves
// the runtime over HTTP goes through one Egress: functions over HTTP, sources, documents, MCP.

import type { Dispatcher } from 'undici';

/**
 * `public`: what the rules allow. `loopback`: this machine and nothing else, over http, for a registration that may bridge; it follows
 * from the session that registered, and is never read from or written to a message.
 */
export type Reach = 'public' | 'loopback';

export interface EgressOptions {
  /** Patterns of host names and addresses that may be reached, `*` for any text; no scheme, port or path. Default all; an empty list allows none. */
  readonly allowHosts?: readonly string[] | undefined;
  /** Networks (`10.0.0.0/8`, `fd00::/8`) and addresses that may be reached although they are not public. Default none. */
  readonly allowAddresses?: readonly string[] | undefined;
  /** Whether http is refused, but for a registration that reaches this machine. Default false. */
  readonly requireHttps?: boolean | undefined;
  /** Certificates of authorities that are trusted beside Node's, in PEM. */
  readonly ca?: string | undefined;
  /** Patterns of the names of environment variables that may be sent as secrets. Default none. */
  readonly variables?: readonly string[] | undefined;
  /** What those names are looked up in, whenever they are needed. Default `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

export interface Egress {
  /**
   * Checks where a URL leads, the addresses of its name included, as they are now. Rejects with `url_validation_failed`, which names the
   * rule (`details.rule`) and never an address; with `cancelled`; and with `runtime_overloaded` when too many names are being looked up.
   */
  check(url: string, reach: Reach, signal?: AbortSignal): Promise<URL>;
  /** What a URL says by itself; at most 8,192 characters, no blanks, control characters or backslashes. Throws `url_validation_failed`. */
  parse(url: string, reach: Reach): URL;
  /**
   * Judges where a URL leads, as `parse` does, and gives what makes connections for it. That connects only to addresses that it has looked
   * at itself: a name that leads elsewhere by now, and every other host that the rules refuse, ends the request with `url_validation_failed`.
   * A name that cannot be looked up is a failed connection, whose error has a code and no address. Throws `url_validation_failed`, and
   * `runtime_unavailable` once it is closed; a promise only until undici is loaded. The URL
   * must not be changed afterwards. What it gives follows no redirect by itself.
   */
  dispatcher(url: URL, reach: Reach): Dispatcher | Promise<Dispatcher>;
  /** The value of a variable; undefined when it is not set or not allowed, which nobody can tell apart. */
  secret(variable: string): string | undefined;
  /** Ends all connections. */
  close(): Promise<void>;
}
