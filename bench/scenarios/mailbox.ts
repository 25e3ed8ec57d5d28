// What does the line in front of a worker cost per message, and does its depth matter?

import { Bench } from 'tinybench';
import { Mailbox } from '../../lib/supervisor/mailbox.ts';
import type { Link } from '../../lib/supervisor/mailbox.ts';
import { collectGarbage } from '../support/machine.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { pairwise } from '../support/statistics.ts';

const EFFORTS = { quick: { rounds: 3, timeMs: 60 }, full: { rounds: 9, timeMs: 250 } } as const satisfies Record<
  Effort,
  unknown
>;

const DEEPEST = 1_000_000;
const DEPTHS = [1, 1_000, DEEPEST] as const;
const GOAL = 1.2;
/** A call takes nanoseconds, reading the clock tens of them: so many calls are one sample. */
const CALLS_PER_SAMPLE = 1_000;
/** For what takes longer than that by itself. */
const CALLS_PER_SLOW_SAMPLE = 4;
/** Beyond this length V8 moves all elements of an array to remove the first one. */
const SLOW_ARRAY_DEPTH = 50_000;
const NS_PER_MS = 1_000_000;

interface Message extends Link<Message> {
  readonly seq: number;
}

/** A line that keeps its depth: one message goes in, the oldest comes out. */
interface Line {
  readonly name: string;
  push(message: Message): void;
  shift(): Message | null;
}

export const mailbox: Scenario = {
  name: 'mailbox',
  question: 'nanoseconds to enqueue one message and dequeue another, by depth',
  run: async (effort): Promise<Findings> => {
    const { rounds, timeMs } = EFFORTS[effort];
    const subjects = LINES.map((open) => ({
      name: open().name,
      turn: async () => {
        const entries: [string, number][] = [];
        for (const depth of DEPTHS) entries.push([quantity(depth), await measure(open(), depth, timeMs)]);
        return Object.fromEntries(entries);
      },
    }));
    const measures = await interleave(subjects, rounds);
    const [ours, bare] = ['mailbox', 'bare linked list'];
    const time = (name: string, depth: number): readonly number[] => roundsOf(measures, name, quantity(depth));
    const ratios = [
      {
        label: `${ours}, time at depth ${DEEPEST.toLocaleString('en')} : at depth 1`,
        perRound: pairwise(time(ours, DEEPEST), time(ours, 1)),
        atMost: GOAL,
      },
      ...DEPTHS.map((depth) => ({
        label: `${ours} : ${bare}, time at depth ${depth.toLocaleString('en')}`,
        perRound: pairwise(time(ours, depth), time(bare, depth)),
      })),
    ];
    return { measures, ratios, chart: { of: 'measures', scale: 'log' } };
  },
};

function quantity(depth: number): string {
  return `ns, depth ${depth.toLocaleString('en')}`;
}

/** Nanoseconds for one push and one shift. */
async function measure(line: Line, depth: number, timeMs: number): Promise<number> {
  collectGarbage();
  let pushed = 0;
  let shifted = 0;
  const push = (): void => line.push({ seq: ++pushed, bytes: 64, previous: null, next: null });
  const shift = (): void => {
    const seq = line.shift()?.seq;
    if (seq !== ++shifted) throw new Error(`${line.name}: message ${shifted} was ${seq ?? 'missing'}`);
  };
  while (pushed < depth) push();
  const isSlow = line.name === ARRAY && depth > SLOW_ARRAY_DEPTH;
  const calls = isSlow ? CALLS_PER_SLOW_SAMPLE : CALLS_PER_SAMPLE;
  const bench = new Bench({ time: timeMs, warmupTime: timeMs / 4, iterations: 8, warmupIterations: 2, throws: true });
  bench.add(line.name, () => {
    for (let call = 0; call < calls; call++) {
      shift();
      push();
    }
  });
  const [task] = await bench.run();
  if (task?.result.state !== 'completed') throw new Error(`${line.name} ended as ${task?.result.state}`);
  if (isSlow) return nsPerCall(task.result.latency.p50, calls); // to empty it would take minutes
  while (shifted < pushed) shift();
  if (line.shift() !== null) throw new Error(`${line.name} gave more than it got`);
  return nsPerCall(task.result.latency.p50, calls);
}

function nsPerCall(sampleMs: number, calls: number): number {
  return (sampleMs / calls) * NS_PER_MS;
}

// --- the lines ---

const ARRAY = 'array, push and shift';

const LINES: readonly (() => Line)[] = [openArray, openList, openMailbox];

function openArray(): Line {
  const messages: Message[] = [];
  return { name: ARRAY, push: (message) => void messages.push(message), shift: () => messages.shift() ?? null };
}

/** No bounds, no removal from the middle, no lending: what only a line costs. */
function openList(): Line {
  let first: Message | null = null;
  let last: Message | null = null;
  return {
    name: 'bare linked list',
    push: (message) => {
      if (last === null) first = message;
      else last.next = message;
      last = message;
    },
    shift: () => {
      const message = first;
      if (message === null) return null;
      first = message.next;
      if (first === null) last = null;
      return message;
    },
  };
}

/** The whole life of a message: asked for room, pushed, lent, removed. */
function openMailbox(): Line {
  const line = new Mailbox<Message>({ capacity: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER });
  return {
    name: 'mailbox',
    push: (message) => {
      if (!line.hasRoom(message.bytes)) throw new Error('the mailbox is full');
      line.push(message);
    },
    shift: () => {
      const message = line.lend();
      if (message !== null) line.remove(message, true);
      return message;
    },
  };
}
