// What a checker has found: how often each rule was broken, the first examples, and the figures that say how much was looked at.

/** Every rule, as the table shows it. */
export const RULES = {
  missing: 'acknowledged but missing',
  unended: 'accepted, drained and without outcome',
  ended_twice: 'ended twice',
  outcome: 'outcomes changed',
  accepted_twice: 'accepted twice',
  order: 'order violations',
  ran_twice: 'ran twice without saying so',
  ran_unaccepted: 'ran without being accepted',
  ran_ended: 'ran although refused, removed or expired',
  not_run: 'completed without having run',
  gap: 'gaps in transcripts',
  rewritten: 'transcripts changed',
  state: 'states that differ from the outcomes',
  key: 'idempotency keys forgotten',
  receipt: 'receipts that differ from the transcript',
  torn: 'effects of one input torn apart',
  life: 'workers that are not what was acknowledged',
  erased: 'deleted and there again',
} as const;
export type Rule = keyof typeof RULES;

const MAX_EXAMPLES = 40;
const MAX_EXAMPLES_PER_RULE = 5;

export class Verdict {
  readonly figures: Record<string, number> = {};
  readonly broken: Partial<Record<Rule, number>> = {};
  readonly examples: string[] = [];

  count(figure: string, by = 1): void {
    this.figures[figure] = (this.figures[figure] ?? 0) + by;
  }

  find(rule: Rule, what: string): void {
    const count = (this.broken[rule] ?? 0) + 1;
    this.broken[rule] = count;
    if (count <= MAX_EXAMPLES_PER_RULE && this.examples.length < MAX_EXAMPLES) this.examples.push(`${rule}: ${what}`);
  }

  get isClean(): boolean {
    return Object.keys(this.broken).length === 0;
  }

  get table(): string {
    const rows: [string, number][] = [
      ...Object.entries(this.figures),
      ...(Object.keys(RULES) as Rule[]).map((rule): [string, number] => [RULES[rule], this.broken[rule] ?? 0]),
    ];
    const width = Math.max(...rows.map(([name]) => name.length));
    return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
  }
}
