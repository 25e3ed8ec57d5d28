// The far end of the remotes-reconnect scenario: remotes that serve and that call each other, one call at a time each and a while between
// two, so that what is measured is not this load. Their connections are all killed at once and they come back at once. Counts what became of every call on both sides of them.

import { answerRequests } from '../support/child.ts';
import type { Address } from '../support/gateway.ts';
import { functionIdOf, RawRemote } from '../support/raw-remote.ts';

export type CallingRequest =
  | { readonly verb: 'open'; readonly address: Address; readonly count: number }
  | { readonly verb: 'reconnect' }
  /** Makes no new calls. */
  | { readonly verb: 'rest' }
  | { readonly verb: 'report' };

export interface CallingReport {
  /** Calls that the remotes have made. */
  readonly asked: number;
  readonly answered: number;
  readonly answeredTwice: number;
  /** Answered with `invocation_stopped`, and with anything else that is an error. */
  readonly stopped: number;
  readonly failed: Readonly<Record<string, number>>;
  /** Calls that the remotes were given. */
  readonly called: number;
  readonly calledTwice: number;
}

const CONNECT_AT_ONCE = 100;
/** From an answer to the next call of the same remote. */
const BETWEEN_CALLS_MS = 50;
const callers: Caller[] = [];
let isResting = false;

class Caller {
  readonly #remote: RawRemote;
  readonly #calls: string;
  #current: string | null = null;
  readonly asked = new Set<string>();
  /** How often, by id. */
  readonly answers = new Map<string, number>();
  readonly errors: string[] = [];
  readonly calls = new Map<string, number>();

  constructor(address: Address, number: number, count: number) {
    this.#calls = functionIdOf((number + 1) % count);
    this.#remote = new RawRemote(address, functionIdOf(number), {
      answered: (id, errorCode) => {
        if (!this.asked.has(id)) throw new Error('an answer to a call that nobody has made');
        countOne(this.answers, id);
        if (errorCode !== null) this.errors.push(errorCode);
        if (id === this.#current) setTimeout(() => this.#callNext(), BETWEEN_CALLS_MS);
      },
      called: (id) => countOne(this.calls, id),
    });
  }

  async connect(): Promise<void> {
    await this.#remote.connect();
    this.#callNext();
  }

  kill(): void {
    this.#remote.kill();
  }

  #callNext(): void {
    this.#current = isResting ? null : this.#remote.call(this.#calls, { text: 'please answer it as it is' });
    if (this.#current !== null) this.asked.add(this.#current);
  }
}

async function answer(request: CallingRequest): Promise<CallingReport | null> {
  switch (request.verb) {
    case 'open':
      return open(request.address, request.count);
    case 'reconnect':
      for (const caller of callers) caller.kill();
      await Promise.all(callers.map((caller) => caller.connect()));
      return null;
    case 'rest':
      isResting = true;
      return null;
    case 'report':
      return report();
  }
}

async function open(address: Address, count: number): Promise<null> {
  for (let number = 0; number < count; number++) callers.push(new Caller(address, number, count));
  for (let from = 0; from < count; from += CONNECT_AT_ONCE) {
    await Promise.all(callers.slice(from, from + CONNECT_AT_ONCE).map((caller) => caller.connect()));
  }
  return null;
}

function report(): CallingReport {
  const errors = callers.flatMap((caller) => caller.errors);
  const failed: Record<string, number> = {};
  for (const code of errors) if (code !== STOPPED) failed[code] = (failed[code] ?? 0) + 1;
  const sum = (of: (caller: Caller) => number): number => callers.reduce((all, caller) => all + of(caller), 0);
  return {
    asked: sum(({ asked }) => asked.size),
    answered: sum(({ answers }) => answers.size),
    answeredTwice: sum(({ answers }) => repeated(answers)),
    stopped: errors.filter((code) => code === STOPPED).length,
    failed,
    called: sum(({ calls }) => calls.size),
    calledTwice: sum(({ calls }) => repeated(calls)),
  };
}

const STOPPED = 'invocation_stopped';

function countOne(counts: Map<string, number>, id: string): void {
  counts.set(id, (counts.get(id) ?? 0) + 1);
}

function repeated(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].filter((times) => times > 1).length;
}

answerRequests((request) => answer(request as CallingRequest));
