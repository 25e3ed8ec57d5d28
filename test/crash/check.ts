// The checker, a program of its own: `check --url URL --token-file FILE --heard FOLDER --runs FILE [--seed N]`. Knows what clients have
// heard, asks the runtime for everything, and says what does not fit. Prints a table; with `--json` its figures as one line.
// Ends with 1 when a rule was broken, with 2 when it could not look.

import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chainOfEntries } from './account.ts';
import type { Entry } from './account.ts';
import { gather } from './evidence.ts';
import type { Keyed, Known } from './evidence.ts';
import { HeardLog, readHeard, readRuns } from './heard.ts';
import { Judge } from './judge.ts';
import type { WorkerAnswer } from './judge.ts';
import { randomFrom, sampleOf } from '../support/random.ts';
import { Reading } from './reading.ts';
import { Verdict } from './verdict.ts';

const QUIET_WITHIN_MS = 120_000;
const RUNG_WITHIN_MS = 20_000;
const MAX_RECEIPTS = 2_000;
const MAX_KEYS = 3_000;
/** Workers that are asked for what they know, at a time. */
const AT_ONCE = 8;

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    'token-file': { type: 'string' },
    heard: { type: 'string' },
    runs: { type: 'string' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});

function need(name: 'url' | 'token-file' | 'heard' | 'runs'): string {
  const value = values[name];
  if (value === undefined) throw new Error(`--${name} is needed`);
  return value;
}

async function check(): Promise<Verdict> {
  const verdict = new Verdict();
  const folder = need('heard');
  const reading = new Reading({ url: need('url'), tokenFile: need('token-file') });
  await reading.quiet(QUIET_WITHIN_MS);
  const workers = gather(readHeard(folder));
  const alarms = [...workers.values()].filter(({ kind, life }) => kind === 'crash-alarm' && life === 'active');
  await reading.rung(
    alarms.map(({ workerId }) => workerId),
    RUNG_WITHIN_MS,
  );
  await reading.quiet(QUIET_WITHIN_MS);
  if (existsSync(need('runs')))
    for (const run of readRuns(readFileSync(need('runs'), 'utf8'))) workers.get(run.workerId)?.runs.push(run);

  const judge = new Judge(verdict);
  const log = new HeardLog(folder, 'checker');
  const kept: Kept[] = [];
  const queue = [...workers.values()];
  const take = async (): Promise<void> => {
    for (let known = queue.pop(); known !== undefined; known = queue.pop()) {
      const answer = await reading.worker(known.workerId, known.life === 'active');
      judge.worker(known, answer);
      remember(log, known, answer);
      kept.push(...keptOf(known, answer));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, take));
  judge.finish();

  const random = randomFrom(Number(values.seed));
  for (const { workerId, inputId, outcome } of sampleOf(random, kept, MAX_RECEIPTS)) {
    verdict.count('receipts asked for');
    const receipt = await reading.receipt(workerId, inputId);
    if (receipt === null || !outcome.includes(receipt.outcome ?? 'none'))
      verdict.find(
        'receipt',
        `${workerId} ${inputId} is ${receipt?.outcome ?? 'not known'}, and was ${outcome.join()}`,
      );
  }
  await repeatKeys(reading, verdict, sampleOf(random, keysOf(workers, kept), MAX_KEYS));
  await reading.quiet(QUIET_WITHIN_MS);
  return verdict;
}

interface Kept {
  readonly workerId: string;
  readonly inputId: string;
  /** Outcomes that fit its entry. */
  readonly outcome: readonly string[];
}

const OUTCOMES_OF: Readonly<Record<string, readonly string[]>> = {
  output: ['completed'],
  failed: ['failed', 'unknown'],
  cancelled: ['cancelled', 'expired'],
};

function keptOf({ workerId, life }: Known, { entries }: WorkerAnswer): Kept[] {
  if (life === 'unsure') return [];
  // What we ask for in between makes a transcript that is full drop its oldest entries, and their receipts with them.
  const isTrimmed = (entries[0]?.sequence ?? 1) > 1;
  return entries.slice(isTrimmed ? Math.floor(entries.length / 2) : 0).flatMap(({ type, input_id: inputId }) => {
    const outcome = OUTCOMES_OF[type];
    return outcome === undefined || inputId === undefined ? [] : [{ workerId, inputId, outcome }];
  });
}

/** What was read now must be the same the next time. */
function remember(log: HeardLog, { workerId, reads }: Known, { entries }: WorkerAnswer): void {
  const after = Math.max((entries[0]?.sequence ?? 1) - 1, ...reads.map(({ to }) => to));
  const fresh: Entry[] = entries.filter(({ sequence }) => sequence > after);
  const to = fresh.at(-1)?.sequence;
  if (to !== undefined) log.write({ op: 'read', workerId, after, to, chain: chainOfEntries(fresh) });
}

function keysOf(workers: ReadonlyMap<string, Known>, kept: readonly Kept[]): Keyed[] {
  const there = new Set(kept.map(({ inputId }) => inputId));
  return [...workers.values()].flatMap(({ keyed, life }) =>
    life === 'active' ? keyed.filter(({ inputId }) => there.has(inputId)) : [],
  );
}

async function repeatKeys(reading: Reading, verdict: Verdict, keyed: readonly Keyed[]): Promise<void> {
  const answers = await reading.repeated(keyed);
  verdict.count('idempotency keys repeated', keyed.length);
  keyed.forEach(({ workerId, key, inputId }, at) => {
    if (answers[at] !== inputId)
      verdict.find('key', `${workerId} ${key} is ${answers[at] ?? 'nothing'}, and was ${inputId}`);
  });
}

try {
  const verdict = await check();
  const { figures, broken, examples, isClean } = verdict;
  if (values.json) process.stdout.write(`${JSON.stringify({ figures, broken, examples })}\n`);
  else process.stdout.write(`${[verdict.table, ...examples].join('\n')}\n`);
  process.exitCode = isClean ? 0 : 1;
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 2;
}
