// What a soak came to, as one object: figures, and whether what was promised held.

import { percentiles } from '../../bench/support/statistics.ts';
import type { SoakReport } from './soak.ts';
import type { Sample } from './watch.ts';

/** How far the mean of memory in the last third may lie from that in the middle third. */
const FLAT_PART = 0.1;
/** A shorter one has not warmed up. */
const FLAT_FROM_SECONDS = 240;

export interface Summary {
  readonly seconds: number;
  readonly done: Record<string, number>;
  readonly outcomes: Record<string, number>;
  readonly faults: Record<string, { count: number; again_p50_ms?: number; again_max_ms?: number }>;
  readonly faults_total: number;
  /** Mean RSS of each third, and how many times that of the middle one the last is. */
  readonly rss_mib: readonly number[];
  readonly rss_last_to_middle: number;
  readonly heap_mib: readonly number[];
  /** In the end, after a collection. */
  readonly heap_living_mib: number;
  readonly loop_delay_p99_ms: number;
  readonly loop_delay_max_ms: number;
  /** Part of all seconds for which the main thread was ready to run and had no CPU: what others do on the machine. */
  readonly no_cpu_part: number;
  readonly most_threads: number;
  readonly most_quarantined: number;
  readonly most_workers: number;
  readonly timers_lost: number;
  readonly close: SoakReport['close'];
  readonly violations: number;
  readonly examples: readonly string[];
}

export function summarise(report: SoakReport): Summary {
  const { samples, violations, examples } = report;
  const rss = thirds(samples, ({ rssMiB }) => rssMiB);
  const [, middle = NaN, last = NaN] = rss;
  const ratio = last / middle;
  const seconds = samples.at(-1)?.second ?? 0;
  const isFlat = seconds < FLAT_FROM_SECONDS || Math.abs(ratio - 1) <= FLAT_PART;
  const most = (of: (sample: Sample) => number): number =>
    samples.reduce((top, sample) => Math.max(top, of(sample)), 0);
  return {
    seconds,
    done: sorted(report.counts),
    outcomes: sorted(report.outcomes),
    faults: faultsOf(report),
    faults_total: Object.values(report.faults).reduce((sum, { count }) => sum + count, 0),
    rss_mib: rss.map(rounded),
    rss_last_to_middle: Number(ratio.toFixed(3)),
    heap_mib: thirds(samples, ({ heapMiB }) => heapMiB).map(rounded),
    heap_living_mib: rounded(report.livingMiB),
    loop_delay_p99_ms: rounded(report.loopDelayMs.p99),
    loop_delay_max_ms: rounded(report.loopDelayMs.max),
    no_cpu_part: Number((samples.reduce((sum, { noCpuMs }) => sum + (noCpuMs ?? 0), 0) / seconds / 1_000).toFixed(3)),
    most_threads: most(({ threads }) => threads),
    most_quarantined: most(({ quarantined }) => quarantined),
    most_workers: most(({ workers }) => workers),
    timers_lost: report.timersLost,
    close: report.close,
    violations: violations + (isFlat ? 0 : 1),
    examples: isFlat ? examples : [...examples, `memory is not flat: ${ratio.toFixed(3)}`],
  };
}

function thirds(samples: readonly Sample[], of: (sample: Sample) => number): number[] {
  const length = Math.floor(samples.length / 3);
  return [0, 1, 2].map((third) => {
    const values = samples.slice(third * length, (third + 1) * length).map(of);
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  });
}

function faultsOf({ faults }: SoakReport): Summary['faults'] {
  const entries = Object.entries(faults).map(([name, { count, againMs }]) => {
    if (againMs.length === 0) return [name, { count }] as const;
    const again = { again_p50_ms: rounded(percentiles(againMs).p50), again_max_ms: rounded(Math.max(...againMs)) };
    return [name, { count, ...again }] as const;
  });
  return Object.fromEntries(entries);
}

function sorted(counts: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
