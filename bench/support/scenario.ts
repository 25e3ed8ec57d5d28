// What a scenario is and what it finds. A scenario answers one question; a number in its findings is only there if every
// answer behind it was checked, because a scenario that meets a wrong or missing answer rejects instead.

/** `quick` shows that it works and roughly how; `full` is what may be quoted. */
export type Effort = 'quick' | 'full';

export interface Scenario {
  readonly name: string;
  readonly question: string;
  /** Rejects with the first answer that is wrong, missing or late. */
  run(effort: Effort): Promise<Findings>;
}

export interface Findings {
  /** Baseline first. */
  readonly measures: readonly Measure[];
  readonly ratios: readonly Ratio[];
  readonly chart: Chart;
  /** What a reader of the table has to know: a contender that is not installed, inputs that were refused. */
  readonly notes?: readonly string[];
}

/** What the project wants the median to be; reported, never a reason to fail: the machine decides too. */
export interface Goal {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Measure extends Goal {
  readonly subject: string;
  /** What is counted, with its unit: `asks/s`, `p50 in µs`. */
  readonly quantity: string;
  /** One number per round; rounds of all subjects are interleaved, so equal indexes belong together. */
  readonly perRound: readonly number[];
}

export interface Ratio extends Goal {
  /** `A : B`, as in "A is this many times B". */
  readonly label: string;
  /** Ratios of rounds that belong together, not the ratio of two medians. */
  readonly perRound: readonly number[];
}

export interface Chart {
  readonly of: 'measures' | 'ratios';
  readonly scale: 'linear' | 'log';
}

export function hasGoal({ atLeast, atMost }: Goal): boolean {
  return atLeast !== undefined || atMost !== undefined;
}

export function isMet({ atLeast, atMost }: Goal, median: number): boolean {
  return (atLeast === undefined || median >= atLeast) && (atMost === undefined || median <= atMost);
}
