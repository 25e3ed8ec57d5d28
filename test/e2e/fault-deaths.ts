// Ends, hangs, floods and memory: what a host seldom survives.

import { SECRET, ends, fails, killed } from './fault.ts';
import type { Fault } from './fault.ts';

const MiB = 1024 * 1024;
export const ENDS: readonly Fault[] = [
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

export const HANGS: readonly Fault[] = [
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

export const LATE: readonly Fault[] = [
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

export const FLOODS: readonly Fault[] = [
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

export const MEMORY: readonly Fault[] = [
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
    limits: { hostExternalBytes: 64 * MiB, stuckAfterMs: 20_000 },
    ...killed('memory', ['idle', 'progressing']),
    answer: { code: 'completed' },
    isVague: true,
    record: ['restarted: memory'],
    again: [{ mebibytes: 1 }, { kept: 1 }],
  },
];
