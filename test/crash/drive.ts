// `scripts/crash.sh`: cycles of load, kill and restart, with a look at everything now and then, and a table at the end.
// Ends with 1 when a promise was broken or a fault point was not reached.

import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { FaultPoint } from '../../lib/lmdb/faults.ts';
import { between, randomFrom } from '../support/random.ts';
import { Campaign } from './campaign.ts';
import type { Checked } from './campaign.ts';
import { RULES } from './verdict.ts';
import type { Rule } from './verdict.ts';

/** The named points that a store of this version passes, and the highest count of passing them before it dies there. */
const FAULTS: Readonly<Record<string, number>> = {
  'before-commit': 50,
  'after-commit': 50,
  recovery: 1,
  fold: 1,
  trim: 2,
  backup: 1,
} satisfies Record<Exclude<FaultPoint, 'upgrade'>, number>;
const EVERY_FAULT = 3;

const { values } = parseArgs({
  options: {
    cycles: { type: 'string' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    store: { type: 'string', default: 'lmdb' },
    faults: { type: 'string', default: Object.keys(FAULTS).join() },
    processes: { type: 'string', default: '2' },
    'check-every': { type: 'string', default: '20' },
    'no-kill': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});

const untilMs = values.minutes === undefined ? null : performance.now() + Number(values.minutes) * 60_000;
const cycles = values.cycles === undefined ? (untilMs === null ? 100 : Infinity) : Number(values.cycles);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const random = randomFrom(seed);
const faults = values.faults.split(',').filter((name) => name !== '');
for (const name of faults) if (!Object.hasOwn(FAULTS, name)) throw new RangeError(`there is no fault point ${name}`);
const checkEvery = Number(values['check-every']);
const folder = mkdtempSync(join(tmpdir(), 'greenroom-crash-'));
const broken = new Map<string, number>();
const unreached = new Set(faults);

/** Also beside what is kept of a run that failed. */
function say(text: string): void {
  appendFileSync(join(folder, 'report'), `${text}\n`);
  process.stdout.write(`${text}\n`);
}

function note(checked: Checked): void {
  for (const [rule, count] of Object.entries(checked.broken)) broken.set(rule, Math.max(broken.get(rule) ?? 0, count));
  for (const example of checked.examples) say(`  ${example}`);
}

/** Points that were not reached yet come first, then all of them in turn. */
function nextFault(turn: number): string {
  const waiting = [...unreached];
  return waiting[0] ?? (faults[turn % faults.length] as string);
}

async function cycle(campaign: Campaign, number: number): Promise<string> {
  if (values['no-kill']) {
    await wait(between(random, 200, 2_000));
    return 'no kill';
  }
  if (faults.length === 0 || number % EVERY_FAULT !== 0) {
    await campaign.killAtRandom();
    return 'kill';
  }
  const name = nextFault(number / EVERY_FAULT);
  const count = between(random, 1, FAULTS[name] ?? 1);
  const isFired = await campaign.killAt(name, count);
  if (isFired) unreached.delete(name);
  return `${name}:${count} ${isFired ? 'fired' : 'was not reached'}`;
}

async function look(campaign: Campaign): Promise<Checked> {
  const checked = await campaign.check();
  note(checked);
  const { 'acknowledged inputs': inputs = 0, 'transcript entries': entries = 0 } = checked.figures;
  say(`  checked: ${inputs} acknowledged, ${entries} entries, broken ${JSON.stringify(checked.broken)}`);
  return checked;
}

function table(campaign: Campaign, { figures }: Checked, cyclesRun: number): string {
  const sorted = campaign.readyMs.toSorted((one, other) => one - other);
  const rows: [string, string | number][] = [
    ['seed', seed],
    ['cycles', cyclesRun],
    ['kills', campaign.kills],
    ['of them during the start', campaign.killsInRecovery],
    ['ready after ms, median', Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0)],
    ['ready after ms, longest', Math.round(sorted.at(-1) ?? 0)],
    ...faults.map((name): [string, number] => [`died at ${name}`, campaign.fired.get(name) ?? 0]),
    ...Object.entries(figures),
    ...(Object.keys(RULES) as Rule[]).map((rule): [string, number] => [RULES[rule], broken.get(rule) ?? 0]),
    ['fsck found something', broken.get('fsck') ?? 0],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

async function drive(): Promise<boolean> {
  say(`seed ${seed}, store ${values.store}, in ${folder}`);
  const campaign = await Campaign.begin({
    folder,
    store: values.store,
    seed,
    random,
    processes: Number(values.processes),
  });
  try {
    let number = 0;
    while (number < cycles && (untilMs === null || performance.now() < untilMs)) {
      number++;
      const what = await cycle(campaign, number);
      say(
        `${new Date().toISOString().slice(14, 19)} cycle ${number}: ${what}, ready in ${Math.round(campaign.readyMs.at(-1) ?? 0)} ms`,
      );
      if (number % checkEvery === 0) await look(campaign);
    }
    let checked = await look(campaign);
    if (!values['no-kill']) {
      if (!(await campaign.stop())) say('  it did not stop by itself');
      const { code, text } = await campaign.command('fsck');
      if (code !== 0) broken.set('fsck', 1);
      say(`  fsck: ${code} ${text.trim().slice(0, 2_000)}`);
      await campaign.restart();
      checked = await look(campaign);
    }
    say(table(campaign, checked, number));
    const isReached = values['no-kill'] || unreached.size === 0;
    if (!isReached) say(`not reached: ${[...unreached].join()}`);
    return broken.size === 0 && isReached;
  } finally {
    await campaign.close();
  }
}

const isWhole = await drive();
if (!isWhole || values.keep) say(`kept: ${folder}`);
else rmSync(folder, { recursive: true, force: true });
process.exitCode = isWhole ? 0 : 1;
