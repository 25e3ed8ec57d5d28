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
export function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) throw new Error('nothing was measured');
  const at = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(at)] ?? NaN, sorted[Math.ceil(at)] ?? NaN];
  return below + (above - below) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return summarise(values).median;
}

/** Round by round: rounds that ran next to each other met the same machine. */
export function pairwise(over: readonly number[], under: readonly number[]): number[] {
  if (over.length !== under.length) throw new Error('rounds are missing');
  return over.map((value, round) => value / (under[round] ?? NaN));
}
