// What actors do that they should not, and the promise that each of it must not break. faults*.test.ts hold the runtime to it, embedded
// and over REST; faults-doc.ts makes docs/faults.md of it.

import type { Limits } from '../../lib/limits.ts';
import type { EntryType, Isolation, Verdict } from '../../lib/protocol/views.ts';

const MiB = 1024 * 1024;

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
const fails = (code: string, isTold: boolean) =>
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
const crashes = (cause: string, code: 'worker_crashed' | 'completed') =>
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
const ends = (cause: string, tier: Isolation = 'shared') =>
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
const killed = (cause: string, verdicts: readonly Verdict[], tier: Isolation = 'shared') =>
  ({
    ...ends(cause, tier),
    record: ['failed', 'killed', `restarted: ${cause}`],
    log: 'host killed',
    verdicts,
  }) as const satisfies Partial<Fault>;

const UNCLONEABLE = {
  getter: 'with an error whose getters throw',
  proxy: 'a proxy that throws when it is looked at',
  symbol: 'a symbol',
  revoked: 'a revoked proxy',
} as const;

const LOOK = ['look', { changed: false }] as const;
const LIVES = [{ error: 'getter', how: 'not' }, 1] as const;

const ERRORS: readonly Fault[] = [
  { does: 'throws an error', kind: 'throws', input: 'plain', ...fails('actor_error', false), again: LOOK },
  {
    does: 'throws an error for its caller',
    kind: 'throws',
    input: 'typed',
    ...fails('no_such_thing', true),
    again: LOOK,
  },
  { does: 'throws undefined', kind: 'throws', input: 'undefined', ...fails('actor_error', false), again: LOOK },
  { does: 'rejects', kind: 'throws', input: 'async', ...fails('later', true), again: LOOK },
  ...Object.entries(UNCLONEABLE).map(([error, what]): Fault => ({
    does: `throws ${what}`,
    kind: 'throws-uncloneable',
    input: { error, how: 'throw', SECRET },
    ...fails('actor_error', false),
    again: LIVES,
  })),
  {
    does: 'throws an error for its caller whose details refer to themselves',
    kind: 'throws-uncloneable',
    input: { error: 'chosen', how: 'reject', SECRET },
    ...fails('chosen', true),
    again: LIVES,
  },
  { does: 'answers with a function', kind: 'throws', input: 'function', ...fails('invalid_output', true), again: LOOK },
  { does: 'answers with a BigInt', kind: 'throws', input: 'bigint', ...fails('invalid_output', true), again: LOOK },
  {
    does: 'answers with what refers to itself',
    kind: 'throws',
    input: 'cycle',
    ...fails('invalid_output', true),
    again: LOOK,
  },
  {
    does: 'answers with more than a message may hold',
    kind: 'large',
    input: { answer: 2 * MiB },
    limits: { maxMessageBytes: MiB },
    ...fails('payload_too_large', true),
    again: [{}, ''],
  },
  {
    does: 'keeps a state larger than it may be',
    kind: 'large',
    input: { keep: 2 * MiB },
    limits: { maxMessageBytes: MiB },
    ...fails('payload_too_large', true),
    again: [{}, ''],
  },
];

const LEFT_BEHIND: readonly Fault[] = [
  {
    does: 'leaves a promise behind that rejects',
    kind: 'rejects-later',
    input: { reject: 'later', SECRET },
    ...crashes('unhandled_rejection', 'completed'),
    again: [{}, 0],
  },
  {
    does: 'has a promise reject that nobody awaits, while it waits for something else',
    kind: 'rejects-later',
    input: { reject: 'running', SECRET },
    ...crashes('unhandled_rejection', 'worker_crashed'),
    again: [{}, 0],
  },
  {
    does: 'leaves a timer behind that throws',
    kind: 'throws-later',
    input: { throw: 'idle', SECRET },
    ...crashes('uncaught_exception', 'completed'),
    again: [{}, { total: 0, counted: 2 }],
  },
  {
    does: 'throws from a timer while it runs',
    kind: 'throws-later',
    input: { throw: 'running', SECRET },
    ...crashes('uncaught_exception', 'worker_crashed'),
    again: [{}, { total: 0, counted: 2 }],
  },
  {
    does: 'throws from a callback what throws when it is looked at',
    kind: 'throws-uncloneable',
    input: { error: 'proxy', how: 'later', SECRET },
    ...crashes('uncaught_exception', 'worker_crashed'),
    again: LIVES,
  },
  {
    does: 'throws from a timer, in a process of its own',
    kind: 'alone',
    input: { do: 'throw later', SECRET },
    ...crashes('uncaught_exception', 'worker_crashed'),
    tier: 'process',
    again: [{ do: 'echo', echo: 1 }, 1],
  },
];

const ENDS: readonly Fault[] = [
  {
    does: 'calls process.exit',
    kind: 'exits',
    input: { code: 1, SECRET },
    ...ends('exited'),
    again: [{ add: 1 }, 1],
  },
  {
    does: 'calls process.exit after an await',
    kind: 'exits-later',
    input: { code: 1, SECRET },
    ...ends('exited'),
    again: [{}, 'through'],
  },
  {
    does: 'calls process.exit on a thread of its own',
    kind: 'apart',
    input: { exit: true, SECRET },
    ...ends('exited', 'dedicated'),
    again: [{}],
  },
  {
    does: 'calls process.exit in a process of its own',
    kind: 'alone',
    input: { do: 'exit', SECRET },
    ...ends('exited', 'process'),
    again: [{ do: 'echo', echo: 1 }, 1],
  },
  {
    does: 'faults in native code, in a process of its own',
    kind: 'alone',
    input: { do: 'fault', SECRET },
    ...ends('crashed', 'process'),
    quietFrom: 'process',
    again: [{ do: 'echo', echo: 1 }, 1],
  },
  {
    does: 'calls process.exit(0), and is `transient`',
    kind: 'dies-transient',
    input: { by: 'exit', code: 0, SECRET },
    ...ends('exited'),
    rest: 'stopped',
    record: ['failed', 'stopped: exited'],
  },
  {
    does: 'calls process.exit(1), and is `temporary`',
    kind: 'dies-temporary',
    input: { by: 'exit', code: 1, SECRET },
    ...ends('exited'),
    rest: 'failed',
    record: ['failed', 'failed'],
  },
  {
    does: 'ends its host at every attempt, and is tried again',
    kind: 'poison',
    input: { name: 'x', mendedBy: '/nowhere', SECRET },
    ...ends('exited'),
    answer: { code: 'poison_input', cause: 'exited' },
    record: ['restarted: exited', 'failed', 'restarted: exited'],
    again: [{ name: 'y' }, ['y']],
  },
];

const SPUN = [{ politely: true, spin: false }, 1] as const;

const HANGS: readonly Fault[] = [
  {
    does: 'loops without an end',
    kind: 'spins',
    input: { politely: false, SECRET },
    ...killed('stuck', ['spinning']),
    again: SPUN,
  },
  {
    does: 'runs a catastrophic regular expression',
    kind: 'regex',
    input: { hang: true, SECRET },
    ...killed('stuck', ['spinning']),
    again: [{ hang: false }, false],
  },
  {
    does: 'waits for a lock that nobody opens',
    kind: 'waits',
    input: { hang: true, SECRET },
    ...killed('stuck', ['blocked']),
    again: [{ hang: false }, 'no need to'],
  },
  {
    does: 'encodes large values without end',
    kind: 'stringifies',
    input: { hang: true, SECRET },
    // Node 26 encodes a value in one piece that answers no interrupt.
    ...killed('stuck', ['spinning', 'native_block']),
    again: [{ hang: false }],
  },
  {
    does: 'awaits for ever what is there already',
    kind: 'microtasks',
    input: { hang: true, SECRET },
    ...killed('stuck', ['spinning']),
    isVague: true,
    again: [{ hang: false }, 'through'],
  },
  {
    does: 'prints without end',
    kind: 'prints',
    input: { then: 'spin-printing', SECRET },
    ...killed('stuck', ['spinning']),
    again: [{}, null],
  },
  {
    does: 'blocks in native code',
    kind: 'blocks-native',
    input: { iterations: 4_000_000, SECRET },
    ...killed('stuck', ['native_block']),
    quietFrom: 'process',
    again: [{ iterations: 1 }, 64],
  },
  {
    does: 'blocks in native code, and may be promoted',
    kind: 'blocks-promoted',
    input: { iterations: 4_000_000, SECRET },
    ...killed('stuck', ['native_block']),
    quietFrom: 'process',
    record: ['failed', 'killed', 'promoted', 'restarted: stuck'],
    again: [{ iterations: 1 }, 64],
  },
  {
    does: 'blocks in native code, in a process of its own',
    kind: 'alone',
    input: { do: 'block', SECRET },
    ...killed('stuck', ['native_block', 'spinning', 'unresponsive'], 'process'),
    quietFrom: 'process',
    again: [{ do: 'echo', echo: 1 }, 1],
  },
  {
    does: 'ignores a cancel in a loop',
    kind: 'spins',
    input: { politely: false, SECRET },
    isCancelled: true,
    limits: { stuckAfterMs: 20_000 },
    ...killed('cancel_grace', ['spinning', 'progressing']),
    answer: { code: 'cancelled' },
    record: ['cancelled', 'killed', 'restarted: cancel_grace'],
    again: SPUN,
  },
  {
    does: 'ignores that its time is up, in a loop',
    kind: 'overruns',
    input: 'ignores-cancel',
    limits: { stuckAfterMs: 20_000 },
    ...killed('handler_timeout', ['spinning', 'progressing']),
    answer: { code: 'handler_timeout' },
    again: ['quick', 1],
  },
];

const LATE: readonly Fault[] = [
  {
    does: 'takes longer than it may, and hears that its time is up',
    kind: 'overruns',
    input: 'awaits',
    ...fails('handler_timeout', true),
    again: ['quick', 1],
  },
  {
    does: 'emits until it is told to end',
    kind: 'endless',
    input: 100,
    isCancelled: true,
    ...fails('cancelled', true),
    record: ['cancelled'],
    again: [0, null],
  },
];

const FINE = [{ with: 'nothing odd' }, 'fine'] as const;
const odd = (what: string, emits = false) =>
  ({
    does: `${emits ? 'emits' : 'answers with'} ${what}`,
    kind: 'answers-oddly',
    input: { with: what, emits, SECRET },
    again: FINE,
  }) as const;

const ODD_ANSWERS: readonly Fault[] = [
  ...['a stack overflow', 'a stack overflow after an await', 'a then that throws', 'a then that cannot be read'].map(
    (what): Fault => ({ ...odd(what), ...fails('actor_error', false) }),
  ),
  ...['a deep value', 'a toJSON that throws'].map((what): Fault => ({
    ...odd(what),
    ...fails('invalid_output', true),
  })),
  { ...odd('a toJSON that throws', true), ...fails('invalid_output', true) },
  { ...odd('a then that answers twice'), ...fails('completed', true), record: [] },
  { ...odd('a toJSON that exits'), ...ends('exited') },
  { ...odd('a toJSON that spins'), ...killed('stuck', ['spinning']) },
  { ...odd('a toJSON that spins after an await'), ...killed('stuck', ['spinning']) },
];

const meddles = (does: string, how: string) =>
  ({
    does,
    kind: 'meddles',
    input: { how, SECRET },
    again: [{ how: 'nothing' }, 'done'],
    answer: { code: 'completed' },
  }) as const;

const MEDDLERS: readonly Fault[] = [
  { ...fails('completed', true), ...meddles('closes the port of its thread', 'closes the port'), record: [] },
  { ...fails('completed', true), ...meddles('sends on the port of its thread', 'sends on the port'), record: [] },
  { ...fails('completed', true), ...meddles('leaves an interval behind', 'leaves an interval'), record: [] },
  { ...crashes('uncaught_exception', 'completed'), ...meddles('throws in the next tick', 'throws in the next tick') },
  {
    ...ends('threw'),
    ...meddles('throws in a microtask, on Node 20', 'throws in a microtask'),
    record: ['restarted: threw'],
    isVague: true,
    onNode: '20',
  },
  {
    ...crashes('uncaught_exception', 'completed'),
    ...meddles('throws in a microtask, on later versions', 'throws in a microtask'),
    onNode: 'later',
  },
  {
    ...ends('threw'),
    ...meddles('takes the handlers of its thread away and throws from a timer', 'takes the handlers'),
    record: ['restarted: threw'],
    isVague: true,
  },
  {
    ...killed('stuck', ['spinning']),
    ...meddles('leaves a loop behind', 'leaves a loop'),
    record: ['restarted: stuck'],
    isVague: true,
  },
];

const FLOODS: readonly Fault[] = [
  {
    does: 'emits without end and never looks up',
    kind: 'floods-emits',
    input: { looks: false, SECRET },
    ...fails('worker_busy', true),
    again: [{ entries: 1 }, 1],
    // If the runtime takes it as fast as it comes.
    or: killed('stuck', ['spinning']),
  },
  {
    does: 'emits without end and looks whether it is cancelled',
    kind: 'floods-emits',
    input: { SECRET },
    isCancelled: true,
    ...fails('completed', true),
    record: [],
    again: [{ entries: 1 }, 1],
    or: fails('worker_busy', true),
  },
];

const MEMORY: readonly Fault[] = [
  {
    does: 'leaks until the heap is full',
    kind: 'leaks-shared',
    input: { leak: true, SECRET },
    limits: { sharedHeapBytes: 48 * MiB, stuckAfterMs: 20_000 },
    ...ends('out_of_memory'),
    again: [{ leak: false }, { kept: 0 }],
  },
  {
    does: 'leaks until the heap is full, and may be promoted',
    kind: 'leaks',
    input: { leak: true, SECRET },
    limits: { sharedHeapBytes: 48 * MiB, stuckAfterMs: 20_000 },
    ...ends('out_of_memory'),
    record: ['failed', 'promoted', 'restarted: out_of_memory'],
    again: [{ leak: false }, { kept: 0 }],
  },
  {
    does: 'takes memory in one large step, in a process of its own',
    kind: 'allocates',
    input: { how: 'push', SECRET },
    limits: { processHeapBytes: 64 * MiB, stuckAfterMs: 20_000 },
    ...ends('out_of_memory', 'process'),
    quietFrom: 'process',
    again: [{ how: 'not' }, 1],
  },
  {
    does: 'keeps Buffers beyond the bound',
    kind: 'buffers',
    input: { mebibytes: 150, SECRET },
    limits: { hostExternalBytes: 64 * MiB },
    ...killed('memory', ['idle', 'progressing']),
    answer: { code: 'completed' },
    isVague: true,
    record: ['restarted: memory'],
    again: [{ mebibytes: 1 }, { kept: 1 }],
  },
];

/** All of them, in the sections of docs/faults.md. */
export const SECTIONS: Readonly<Record<string, readonly Fault[]>> = {
  'Errors and answers': [...ERRORS, ...ODD_ANSWERS],
  'What is left behind': [...LEFT_BEHIND, ...MEDDLERS],
  'Ends of a thread or a process': ENDS,
  Hangs: [...HANGS, ...LATE],
  'Floods and memory': [...FLOODS, ...MEMORY],
};

const version = process.versions.node.startsWith('20.') ? '20' : 'later';

/** Those that this version of Node has. */
export const FAULTS: readonly Fault[] = Object.values(SECTIONS)
  .flat()
  .filter(({ onNode = version }) => onNode === version);

/** The fault as it ended, by the code of the answer. */
export function variantOf(fault: Fault, code: string): Fault {
  return fault.or?.answer?.code === code ? { ...fault, ...fault.or } : fault;
}
