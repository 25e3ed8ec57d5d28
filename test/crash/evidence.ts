// All that clients have heard, by worker: what the runtime has promised, and nothing that it was only asked for.

import type { Heard, Run, Told } from './heard.ts';

type Line<Op extends Told['op']> = Extract<Told, { op: Op }>;

/** An input that somebody was told to be accepted. */
export interface Accepted {
  /** All ids that it was acknowledged under: it must be one. */
  readonly inputIds: Set<string>;
  readonly sentUs: number;
  readonly ackUs: number;
  readonly batch: string | null;
  readonly line: number;
}

export interface Keyed {
  readonly workerId: string;
  readonly key: string;
  readonly input: unknown;
  readonly inputId: string;
}

export class Known {
  readonly workerId: string;
  kind: string | null = null;
  life: Line<'life'>['is'] | 'untold' = 'untold';
  /** A worker of this id has been deleted: what it ran is nowhere any more. */
  wasDeleted = false;
  readonly accepted = new Map<string, Accepted>();
  readonly outcomes: Line<'outcome'>[] = [];
  readonly removed = new Set<string>();
  readonly refused = new Set<string>();
  reads: Line<'read'>[] = [];
  keyed: Keyed[] = [];
  readonly runs: Run[] = [];
  /** Inputs of workers of this id that have been deleted. */
  readonly erased = new Set<string>();

  constructor(workerId: string) {
    this.workerId = workerId;
  }

  /** What it was sent may have been lost with the process. */
  get isVolatile(): boolean {
    return this.kind === 'crash-volatile';
  }

  add(heard: Heard): void {
    switch (heard.op) {
      case 'ack':
        this.#accept(heard);
        break;
      case 'outcome':
        this.outcomes.push(heard);
        break;
      case 'removed':
        this.removed.add(heard.name);
        break;
      case 'refused':
        this.refused.add(heard.name);
        break;
      case 'read':
        this.reads.push(heard);
        break;
      case 'life':
        this.kind = heard.kind;
        this.life = heard.is;
        if (heard.is === 'deleted') this.#erase();
        break;
    }
  }

  #accept({ workerId, name, inputId, sentUs, atUs, key, input, batch, line = 0 }: Line<'ack'> & Heard): void {
    const before = this.accepted.get(name);
    if (before === undefined)
      this.accepted.set(name, {
        inputIds: new Set(inputId === null ? [] : [inputId]),
        sentUs,
        ackUs: atUs,
        batch: batch ?? null,
        line,
      });
    else if (inputId !== null) before.inputIds.add(inputId);
    if (key !== undefined && inputId !== null) this.keyed.push({ workerId, key, input, inputId });
  }

  #erase(): void {
    this.wasDeleted = true;
    for (const name of this.accepted.keys()) this.erased.add(name);
    this.accepted.clear();
    this.outcomes.length = 0;
    this.removed.clear();
    this.reads = [];
    this.keyed = [];
  }
}

export function gather(heard: readonly Heard[]): Map<string, Known> {
  const workers = new Map<string, Known>();
  for (const line of heard) {
    const known = workers.get(line.workerId) ?? new Known(line.workerId);
    workers.set(line.workerId, known);
    known.add(line);
  }
  return workers;
}
