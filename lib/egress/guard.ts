// The guard in front of everything that leaves the runtime over HTTP: what a URL says, where its name leads, which secrets go along.
// A URL is judged when it is registered, when it is called, and when a connection is made; the last of these is what nobody gets around.

import { isIP } from 'node:net';
import type { Agent, Dispatcher } from 'undici';
import { compilePatterns } from '../access/patterns.ts';
import type { Matcher } from '../access/patterns.ts';
import { asGreenroomError, GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { within } from '../protocol/waits.ts';
import { LOOKUP_TIMEOUT_MS } from './bounds.ts';
import type { Egress, EgressOptions, Reach } from './egress.ts';
import { Lookups } from './lookups.ts';
import type { Lookup } from './lookups.ts';
import { requireEgress } from './options-schema.ts';
import { hostOf, refusal, Rules } from './rules.ts';

/** For tests: what takes the place of the system's. */
interface GuardTools {
  readonly lookup?: Lookup | undefined;
  /** Default 5 s. */
  readonly lookupTimeoutMs?: number | undefined;
}

export class Guard implements Egress {
  readonly #rules: Rules;
  readonly #lookups: Lookups;
  readonly #lookupTimeoutMs: number;
  readonly #limits: Limits;
  readonly #ca: string | undefined;
  readonly #mayRead: Matcher;
  readonly #environment: Readonly<Record<string, string | undefined>>;
  /** A promise until undici is loaded. */
  readonly #agents = new Map<Reach, Agent | Promise<Agent>>();
  readonly #judged = new WeakMap<URL, { readonly allowed: Reach; readonly actual: Reach }>();
  #isClosed = false;

  /** Throws `invalid_option`. */
  constructor(
    options: EgressOptions,
    limits: Limits,
    { lookup, lookupTimeoutMs = LOOKUP_TIMEOUT_MS }: GuardTools = {},
  ) {
    requireEgress(options);
    this.#rules = new Rules(options);
    this.#lookups = new Lookups(lookup);
    this.#lookupTimeoutMs = lookupTimeoutMs;
    this.#limits = limits;
    this.#ca = options.ca;
    this.#mayRead = compilePatterns(options.variables ?? []);
    this.#environment = options.environment ?? process.env;
  }

  parse(text: string, reach: Reach): URL {
    const url = this.#rules.parse(text);
    this.#rules.reachOf(url, reach);
    return url;
  }

  async check(text: string, reach: Reach, signal?: AbortSignal): Promise<URL> {
    const url = this.parse(text, reach);
    const host = hostOf(url);
    if (isIP(host) === 0) {
      const addresses = await this.#addressesOf(host, signal);
      this.#rules.requireAddresses(addresses, this.#rules.reachOf(url, reach));
    }
    return url;
  }

  dispatcher(url: URL, reach: Reach): Dispatcher | Promise<Dispatcher> {
    const actual = this.#judge(url, reach);
    if (this.#isClosed) throw GreenroomError.of('runtime_unavailable');
    return this.#agents.get(actual) ?? this.#createAgent(actual);
  }

  secret(variable: string): string | undefined {
    if (!this.#mayRead(variable) || !Object.hasOwn(this.#environment, variable)) return undefined;
    const value = this.#environment[variable];
    return value === '' ? undefined : value;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(Array.from(this.#agents.values(), async (agent) => (await agent).destroy()));
  }

  /** A function calls one URL again and again; what the rules say of it by itself does not change. */
  #judge(url: URL, reach: Reach): Reach {
    const known = this.#judged.get(url);
    if (known?.allowed === reach) return known.actual;
    const actual = this.#rules.reachOf(url, reach);
    this.#judged.set(url, { allowed: reach, actual });
    return actual;
  }

  #createAgent(reach: Reach): Promise<Agent> {
    const parts = { rules: this.#rules, lookups: this.#lookups, limits: this.#limits, ca: this.#ca };
    const creating = import('./agent.ts').then(({ createAgent }) => {
      const agent = createAgent(reach, parts);
      this.#agents.set(reach, agent);
      return agent;
    });
    this.#agents.set(reach, creating);
    return creating;
  }

  /** The look-up itself goes on when nobody waits for it any longer: the system has no way to end it. */
  async #addressesOf(host: string, signal: AbortSignal | undefined): Promise<readonly { readonly address: string }[]> {
    try {
      return await within(this.#lookupTimeoutMs, [signal], () => this.#lookups.addressesOf(host));
    } catch (thrown) {
      if (signal?.aborted === true) throw GreenroomError.of('cancelled');
      // Too many look-ups are under way: that says nothing about the name.
      throw asGreenroomError(thrown).code === 'runtime_overloaded' ? thrown : refusal('lookup_failed', thrown);
    }
  }
}
