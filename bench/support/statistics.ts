// What is said about several rounds: the median, because one disturbed round must not move it, and the extremes, because
// they show how disturbed the machine was.

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), min: quantile(sorted, 0), max: quantile(sorted, 1) };
}

/** Of values in ascending order; between two of them, the way from one to the other. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) throw new Error('nothing was measured');
  const at = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return below + (above - below) * (at - Math.floor(at));
}

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  /** The 99.9th. */
  readonly p999: number;
}

/** Of values in any order, in their unit. */
export function percentiles(values: Iterable<number>): Percentiles {
  const sorted = Float64Array.from(values).sort();
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), p999: quantile(sorted, 0.999) };
}

export function median(values: readonly number[]): number {
  return summarise(values).median;
}

/** Round by round: rounds that ran next to each other met the same machine. */
export function pairwise(over: readonly number[], under: readonly number[]): number[] {
  if (over.length !== under.length) throw new Error('rounds are missing');
  return over.map((value, round) => value / (under[round] ?? NaN));
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2_000;
const COVERED = 0.95;

/**
 * Where the ratio of two medians lies, by bootstrap: both sides are drawn again from their own rounds, with replacement,
 * and 95 % of the ratios that this gives are in the interval. It knows the spread within each run, and not what was
 * different between the runs. The draw always starts from the same seed, so the same files give the same interval.
 */
export function bootstrapRatio(over: readonly number[], under: readonly number[]): Interval {
  const random = seeded(1);
  const draw = (values: readonly number[]): number =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? NaN));
  const ratios = Array.from({ length: RESAMPLES }, () => draw(over) / draw(under)).sort((a, b) => a - b);
  return { low: quantile(ratios, (1 - COVERED) / 2), high: quantile(ratios, (1 + COVERED) / 2) };
}

/** Numbers from 0 to 1 (mulberry32), always the same ones for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
