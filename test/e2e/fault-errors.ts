// Errors, answers and what is left behind: the host lives on, mostly.

import { SECRET, crashes, ends, fails, killed } from './fault.ts';
import type { Fault } from './fault.ts';

const MiB = 1024 * 1024;
const UNCLONEABLE = {
  getter: 'with an error whose getters throw',
  proxy: 'a proxy that throws when it is looked at',
  symbol: 'a symbol',
  revoked: 'a revoked proxy',
} as const;

const LOOK = ['look', { changed: false }] as const;
const LIVES = [{ error: 'getter', how: 'not' }, 1] as const;

export const ERRORS: readonly Fault[] = [
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

const FINE = [{ with: 'nothing odd' }, 'fine'] as const;
const odd = (what: string, emits = false) =>
  ({
    does: `${emits ? 'emits' : 'answers with'} ${what}`,
    kind: 'answers-oddly',
    input: { with: what, emits, SECRET },
    again: FINE,
  }) as const;

export const ODD_ANSWERS: readonly Fault[] = [
  ...['a stack overflow', 'a stack overflow after an await', 'a then that throws', 'a then that cannot be read'].map(
    (what): Fault => ({ ...odd(what), ...fails('actor_error', false) }),
  ),
  // Later versions of Node take a while to find that out.
  { ...odd('a deep value'), ...fails('invalid_output', true), limits: { stuckAfterMs: 20_000 } },
  { ...odd('a toJSON that throws'), ...fails('invalid_output', true) },
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

export const MEDDLERS: readonly Fault[] = [
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

export const LEFT_BEHIND: readonly Fault[] = [
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
