// What a fault is: what an actor does that it should not, and the promises that it must not break. The rows are in fault-table.ts.

import type { Limits } from '../../lib/limits.ts';
import type { EntryType, Isolation, Verdict } from '../../lib/protocol/views.ts';

/** What an author sends and nobody else may read: it is in every input that can hold it. No schema below knows it, so it changes nothing. */
export const SECRET = 'tell-nobody-8d1f';
/** Words of the messages that the fixtures throw with: they are for the log and for nobody else. */
export const THROWN_WORDS = [
  'secret of',
  'forgotten',
  'from a timer',
  'from a callback',
  'awaits this',
  'look at me',
  'stray',
];

export interface Fault {
  /** After "an actor that". */
  readonly does: string;
  readonly kind: string;
  readonly input: unknown;
  readonly tier: Isolation;
  /** The lowest tier on which no other worker notices anything. */
  readonly quietFrom: Isolation;
  readonly limits?: Partial<Limits>;
  /** The caller takes the input back while it runs. */
  readonly isCancelled?: true;
  /** The error that the caller gets, with `details.cause` if it has one; or the code `completed`. */
  readonly answer: { readonly code: string; readonly cause?: string };
  /** `restart`: those on the same host lose what was running and come back with their state. */
  readonly neighbours: 'nothing' | 'restart';
  /** Where the worker comes to rest. */
  readonly rest: 'idle' | 'failed' | 'stopped';
  /** An input that it answers again, and with what, if that is known; absent if it rests for good. */
  readonly again?: readonly [input: unknown, output?: unknown];
  /** What its transcript has beside inputs, outputs and what it emits: the type, and the cause of a `restarted` one. */
  readonly record: readonly (EntryType | `restarted: ${string}` | `stopped: ${string}`)[];
  /** The line of the log; null if there is none, since the caller was told all. */
  readonly log: 'actor threw' | 'worker crashed' | 'host died' | 'host killed' | null;
  /** Of a kill: what it was found to be doing. */
  readonly verdicts?: readonly Verdict[];
  /** How it may end as well, which the answer tells. */
  readonly or?: Partial<Fault>;
  /** No handler was on the stack when the host ended: then everybody who had begun an input is a suspect. */
  readonly isVague?: true;
  /** Where it is known whose a callback of `queueMicrotask` is, and where it is not. */
  readonly onNode?: '20' | 'later';
}

/** Ends with the handler: an error like any other, with which nothing is lost. */
export const fails = (code: string, isTold: boolean) =>
  ({
    tier: 'shared',
    quietFrom: 'shared',
    answer: { code },
    neighbours: 'nothing',
    rest: 'idle',
    record: ['failed'],
    log: isTold ? null : 'actor threw',
  }) as const satisfies Partial<Fault>;

/** The worker crashes, and its host lives on. */
export const crashes = (cause: string, code: 'worker_crashed' | 'completed') =>
  ({
    tier: 'shared',
    quietFrom: 'shared',
    answer: code === 'completed' ? { code } : { code, cause },
    neighbours: 'nothing',
    rest: 'idle',
    record: code === 'completed' ? [`restarted: ${cause}`] : ['failed', `restarted: ${cause}`],
    log: 'worker crashed',
  }) as const satisfies Partial<Fault>;

/** The thread or the process ends by itself. */
export const ends = (cause: string, tier: Isolation = 'shared') =>
  ({
    tier,
    quietFrom: 'dedicated',
    answer: { code: 'host_lost', cause },
    neighbours: tier === 'shared' ? 'restart' : 'nothing',
    rest: 'idle',
    record: ['failed', `restarted: ${cause}`],
    log: 'host died',
  }) as const satisfies Partial<Fault>;

/** The host is killed for it. */
export const killed = (cause: string, verdicts: readonly Verdict[], tier: Isolation = 'shared') =>
  ({
    ...ends(cause, tier),
    record: ['failed', 'killed', `restarted: ${cause}`],
    log: 'host killed',
    verdicts,
  }) as const satisfies Partial<Fault>;

/** The fault as it ended, by the code of the answer. */
export function variantOf(fault: Fault, code: string): Fault {
  return fault.or?.answer?.code === code ? { ...fault, ...fault.or } : fault;
}
