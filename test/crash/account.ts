// A worker's transcript, read as an account: which inputs were accepted, in which order, and how each of them ended.

import { isDeepStrictEqual } from 'node:util';
import { chained } from './chain.ts';
import type { Verdict } from './verdict.ts';

/** An entry as it came over the wire. */
export interface Entry {
  readonly sequence: number;
  readonly at: string;
  readonly type: string;
  readonly input_id?: string;
  readonly data: unknown;
}

export interface Output {
  readonly name: string;
  readonly attempt: number;
  readonly count: number;
  readonly chain: string;
  /** Of a parent: what it told. */
  readonly told?: readonly { readonly workerId: string; readonly inputId: string }[];
  /** Of an alarm: how many timers it set. */
  readonly rings?: number;
}

export interface Booked {
  readonly name: string;
  readonly inputId: string;
  /** Its place in the order of acceptance. */
  readonly place: number;
  readonly data: { readonly from?: string; readonly attempt?: number };
  end: Entry | null;
}

const ENDS = new Set(['output', 'failed', 'cancelled']);

export class Account {
  readonly workerId: string;
  readonly entries: readonly Entry[];
  readonly inputs = new Map<string, Booked>();
  /** The oldest entries are gone, as retention has it. */
  readonly isTrimmed: boolean;
  readonly completed: Output[] = [];
  readonly #verdict: Verdict;

  /** @param mayEndOpen inputs of which a crash may leave the beginning only */
  constructor(workerId: string, entries: readonly Entry[], verdict: Verdict, mayEndOpen = false) {
    this.workerId = workerId;
    this.entries = entries;
    this.isTrimmed = (entries[0]?.sequence ?? 1) > 1;
    this.#verdict = verdict;
    const open = this.#book();
    if (mayEndOpen) verdict.count('volatile inputs that a crash cut off', open.length);
    else for (const inputId of open) verdict.find('unended', `${workerId} ${inputId}`);
  }

  /** The chain of a range of entries, or null if they are not all there. */
  chainOf(after: number, to: number): string | null {
    const first = this.entries[0]?.sequence ?? 1;
    const range = this.entries.slice(after + 1 - first, to + 1 - first);
    if (after + 1 < first || range.length !== to - after) return null;
    return chainOfEntries(range);
  }

  /** Returns the ids of inputs without an end. */
  #book(): string[] {
    const open = new Map<string, Booked | null>();
    const ended = new Set<string>();
    let before = (this.entries[0]?.sequence ?? 1) - 1;
    for (const entry of this.entries) {
      if (entry.sequence !== before + 1)
        this.#verdict.find('gap', `${this.workerId} ${before} is followed by ${entry.sequence}`);
      before = entry.sequence;
      const { type, input_id: inputId } = entry;
      if (inputId === undefined) continue;
      if (type === 'input') open.set(inputId, this.#accept(inputId, entry.data));
      if (!ENDS.has(type)) continue;
      if (ended.has(inputId)) this.#verdict.find('ended_twice', `${this.workerId} ${inputId}`);
      else if (open.has(inputId)) this.#end(open.get(inputId) ?? null, entry);
      else if (!this.isTrimmed)
        this.#verdict.find('missing', `${this.workerId} ${inputId} has an end and no beginning`);
      ended.add(inputId);
      open.delete(inputId);
    }
    return [...open.keys()];
  }

  /** Null for inputs that are the checker's own. */
  #accept(inputId: string, data: unknown): Booked | null {
    const { n, ring } = data as { n?: number; ring?: number };
    if (n === undefined) return null;
    const name = ring === undefined ? String(n) : `${n}/${ring}`;
    const booked: Booked = { name, inputId, place: this.inputs.size, data: data as Booked['data'], end: null };
    if (this.inputs.has(name)) this.#verdict.find('accepted_twice', `${this.workerId} ${name}`);
    else this.inputs.set(name, booked);
    return booked;
  }

  #end(booked: Booked | null, entry: Entry): void {
    if (booked === null) return;
    booked.end = entry;
    if (entry.type === 'output') this.#complete(booked, entry.data as Output);
  }

  /** What was handled stands in the chain, in the order of acceptance, each once. */
  #complete({ name, place }: Booked, output: Output): void {
    const last = this.completed.at(-1);
    this.completed.push(output);
    const lastPlace = last === undefined ? -1 : (this.inputs.get(last.name)?.place ?? -1);
    if (place < lastPlace) this.#verdict.find('order', `${this.workerId} ${name} ran after ${String(last?.name)}`);
    if (last === undefined && this.isTrimmed) return;
    const count = (last?.count ?? 0) + 1;
    const chain = chained(last?.chain ?? '', [name, output.attempt]);
    if (output.name !== name || output.count !== count || output.chain !== chain)
      this.#verdict.find('state', `${this.workerId} ${name}: ${output.count} ${output.chain}, not ${count} ${chain}`);
  }
}

export function chainOfEntries(entries: readonly Entry[]): string {
  return chained(
    '',
    entries.map(({ sequence, at, type, input_id: inputId = null, data }) => [sequence, at, type, inputId, data]),
  );
}

/** Whether what somebody was told of an outcome is what the transcript says of it. */
export function agrees(
  { type, data }: Entry,
  told: { readonly outcome: string; readonly output?: unknown; readonly code?: string },
): boolean {
  const { code } = (type === 'output' ? {} : data) as { code?: string };
  if (told.code !== undefined && told.code !== code) return false;
  switch (told.outcome) {
    case 'completed':
      return type === 'output' && (told.output === undefined || isDeepStrictEqual(data, told.output));
    case 'failed':
      return type === 'failed' && code !== 'host_lost';
    case 'unknown':
      return type === 'failed' && code === 'host_lost';
    case 'expired':
    case 'cancelled':
      return type === 'cancelled' && (code === 'expired') === (told.outcome === 'expired');
    default:
      return false;
  }
}
