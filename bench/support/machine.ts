// Where and when the numbers were taken. Without it a number means nothing.

import { cpus, loadavg, totalmem } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly platform: string;
  readonly date: string;
  /** Over the last minute, before the run. Far above 0 means that the run shared the machine. */
  readonly loadAverage: number;
}

export function describeMachine(): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    date: new Date().toISOString(),
    loadAverage: loadAverage(),
  };
}

export function machineLine(machine: Machine): string {
  const { cpu, cores, memoryGiB, node, platform, date, loadAverage: load } = machine;
  return `${cpu} · ${cores} cores · ${memoryGiB} GiB · Node ${node} · ${platform} · ${date} · load average ${load}`;
}

export function loadAverage(): number {
  return Number((loadavg()[0] ?? NaN).toFixed(2));
}

const LOOK_MS = 300;

/** Share of all cores that others use while this process does nothing, 0 to 1: the load average lags by a minute. */
export async function busyShare(): Promise<number> {
  const before = cpuTimes();
  await pause(LOOK_MS);
  const after = cpuTimes();
  const total = after.total - before.total;
  return total === 0 ? 0 : Number((1 - (after.idle - before.idle) / total).toFixed(2));
}

function cpuTimes(): { idle: number; total: number } {
  const times = cpus().map((core) => core.times);
  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
  return { idle: sum(times.map(({ idle }) => idle)), total: sum(times.flatMap((core) => Object.values(core))) };
}

let collect: (() => void) | undefined;

/** So that nobody pays for what the one before left behind. */
export function collectGarbage(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
