// `npm run soak -- [--minutes 10] [--seed S] [--hosts 3] [--store memory|lmdb] [--chart FILE] [--only FAULT,FAULT…] [--quick]
// [--verbose]`: one soak, a line every ten seconds on stderr, its figures as one line of JSON on stdout, and its course as a chart. Ends with 1 when a promise was broken.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine, loadAverage, machineLine } from '../../bench/support/machine.ts';
import { createLog } from '../../lib/observe/pino.ts';
import { drawSoak } from './chart.ts';
import { soak } from './soak.ts';
import { summarise } from './summary.ts';
import type { Sample } from './watch.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    hosts: { type: 'string', default: '3' },
    store: { type: 'string', default: 'memory' },
    chart: { type: 'string' },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

const SECONDS_PER_LINE = 10;
/** Of the main thread, from which it is told. */
const STALL_MS = 250;

function number(name: 'minutes' | 'hosts' | 'seed', text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new RangeError(`--${name} must be a number above 0, not ${text}`);
  return value;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function onSample(sample: Sample): void {
  const { loopDelayMaxMs, noCpuMs } = sample;
  if (loopDelayMaxMs > STALL_MS) {
    const waited = noCpuMs === null ? '' : `; in that second it waited ${noCpuMs.toFixed(0)} ms for a CPU`;
    say(`${sample.second} s: the main thread stood still for ${loopDelayMaxMs.toFixed(0)} ms${waited}`);
  }
  if (sample.second % SECONDS_PER_LINE > 0) return;
  const { second, rssMiB, externalMiB, threads, hosts, processes, quarantined, workers, waiting, faults } = sample;
  say(
    `${second} s: RSS ${rssMiB.toFixed(0)} MiB, ${externalMiB.toFixed(0)} outside the heap, ${threads} threads for ${hosts} hosts (${quarantined} quarantined), ${processes} processes, ${workers} workers, ${waiting} inputs, ${faults} faults`,
  );
}

const minutes = number('minutes', values.minutes);
const seed = values.seed === undefined ? 1 + Math.floor(Math.random() * 2 ** 31) : number('seed', values.seed);
if (values.store !== 'memory' && values.store !== 'lmdb') throw new RangeError(`there is no store ${values.store}`);
const dataDir = values.store === 'lmdb' ? mkdtempSync(join(tmpdir(), 'greenroom-soak-')) : undefined;
const machine = describeMachine();
say(`${machineLine(machine)}\nseed ${seed}, ${minutes} minutes, ${values.store}`);
const report = await soak({
  seed,
  durationMs: minutes * 60_000,
  hosts: number('hosts', values.hosts),
  store: values.store,
  dataDir,
  isQuick: values.quick,
  only: values.only?.split(','),
  onSample,
  ...(values.verbose && { log: createLog({ level: 'info' }) }),
});
if (dataDir !== undefined) rmSync(dataDir, { recursive: true });
const summary = summarise(report);
const load = { load_average_before: machine.loadAverage, load_average_after: loadAverage() };
process.stdout.write(`${JSON.stringify({ seed, store: values.store, minutes, ...load, ...summary })}\n`);
if (values.chart !== undefined) {
  const title = `soak: ${minutes} minutes, ${summary.faults_total} faults, ${summary.violations} violations`;
  writeFileSync(values.chart, await drawSoak(report.samples, title, `${machineLine(machine)} · seed ${seed}`));
}
for (const example of summary.examples) say(`BROKEN: ${example}`);
say(summary.violations === 0 ? 'every check held' : `${summary.violations} checks did not hold`);
process.exitCode = summary.violations === 0 ? 0 : 1;
