// Holds what the runtime says now against what it has said before. Knows nothing of either but their words: it asks nobody.
// It is given one worker after the other, and at the end looks at what concerns several of them.

import { Account, agrees } from './account.ts';
import type { Booked, Entry, Output } from './account.ts';
import type { Known } from './evidence.ts';
import { judgeRuns } from './judge-runs.ts';
import type { Verdict } from './verdict.ts';

/** What the runtime says of a worker when nothing is left to be done. */
export interface WorkerAnswer {
  readonly workerId: string;
  /** Null: there is none of that id. */
  readonly status: string | null;
  readonly entries: readonly Entry[];
  /** Its state, as far as it says it; null when it was not asked. */
  readonly state: { readonly count: number; readonly chain: string } | null;
}

export class Judge {
  readonly #verdict: Verdict;
  /** By parent and name: the children's inputs that come from it. */
  readonly #children = new Map<string, { child: string; inputId: string; attempt: number | undefined }[]>();
  readonly #parents = new Map<string, Output>();

  constructor(verdict: Verdict) {
    this.#verdict = verdict;
  }

  worker(known: Known, answer: WorkerAnswer): void {
    const verdict = this.#verdict;
    const { workerId, life } = known;
    if (life === 'unsure') return verdict.count('workers of which nothing is certain');
    verdict.count('workers');
    const mayBe = LIVES[life];
    if (!mayBe(answer.status)) verdict.find('life', `${workerId} is ${String(answer.status)}, and was ${life}`);
    const account = new Account(workerId, answer.entries, verdict, known.isVolatile);
    verdict.count('transcript entries', account.entries.length);
    this.#lookForAccepted(known, account);
    this.#lookAtOrder(known, account);
    this.#lookAtOutcomes(known, account);
    this.#lookAtReads(known, account);
    this.#lookAtState(account, answer.state);
    for (const name of known.erased)
      if (account.inputs.has(name)) verdict.find('erased', `${workerId} ${name} was deleted`);
    judgeRuns(known, account, verdict);
    this.#noteEffects(account);
  }

  /** What one input caused elsewhere is there as a whole if the input completed, and else not at all. */
  finish(): void {
    for (const [parent, { name, attempt, told = [] }] of this.#parents) {
      const there = this.#children.get(parent) ?? [];
      this.#children.delete(parent);
      for (const { workerId, inputId } of told)
        if (!there.some((one) => one.child === workerId && one.inputId === inputId && one.attempt === attempt))
          this.#verdict.find(
            'torn',
            `${parent} told ${workerId} in attempt ${attempt}, which does not have ${inputId}`,
          );
      if (there.length > told.length)
        this.#verdict.find('torn', `${parent} (${name}) told ${told.length}, and ${there.length} were told`);
      this.#verdict.count('children told', there.length);
    }
    for (const [parent, there] of this.#children)
      this.#verdict.find('torn', `${parent} has not completed, and ${there.map(({ child }) => child).join()} was told`);
  }

  #lookForAccepted({ workerId, accepted, isVolatile }: Known, account: Account): void {
    this.#verdict.count('acknowledged inputs', accepted.size);
    const oldest = [...account.inputs.values()].reduce(
      (least, { name }) => Math.min(least, accepted.get(name)?.ackUs ?? Infinity),
      Infinity,
    );
    for (const [name, { inputIds, sentUs }] of accepted) {
      const booked = account.inputs.get(name);
      // Where the oldest entries were dropped, only what was sent after an input that is kept must be there.
      if (booked === undefined && (isVolatile || (account.isTrimmed && sentUs < oldest))) continue;
      if (booked === undefined) this.#verdict.find('missing', `${workerId} ${name} ${[...inputIds].join()}`);
      else
        for (const inputId of inputIds)
          if (inputId !== booked.inputId)
            this.#verdict.find('missing', `${workerId} ${name} is ${booked.inputId}, and was ${inputId}`);
    }
  }

  /** What was acknowledged before another was sent was accepted before it; so were the lines of a batch, one after the other. */
  #lookAtOrder({ workerId, accepted }: Known, { inputs }: Account): void {
    const booked = [...inputs.values()];
    let soonest: { ackUs: number; name: string } = { ackUs: Infinity, name: '' };
    const batches = new Map<string, number>();
    for (const { name } of booked.reverse()) {
      const heard = accepted.get(name);
      if (heard === undefined) continue;
      if (soonest.ackUs <= heard.sentUs)
        this.#verdict.find('order', `${workerId} ${name} stands before ${soonest.name}, which was acknowledged first`);
      if (heard.ackUs < soonest.ackUs) soonest = { ackUs: heard.ackUs, name };
      if (heard.batch === null) continue;
      if (heard.line > (batches.get(heard.batch) ?? Infinity))
        this.#verdict.find('order', `${workerId} ${name} stands before an earlier line of its batch`);
      batches.set(heard.batch, heard.line);
    }
  }

  #lookAtOutcomes({ workerId, outcomes, removed, isVolatile }: Known, account: Account): void {
    const isGone = (booked: Booked | undefined): boolean =>
      isVolatile ? (booked?.end ?? null) === null : booked === undefined && account.isTrimmed;
    this.#verdict.count('outcomes told', outcomes.length);
    for (const told of outcomes) {
      const booked = account.inputs.get(told.name);
      if (isGone(booked)) continue;
      const end = booked?.end ?? null;
      if (end === null || !agrees(end, told))
        this.#verdict.find('outcome', `${workerId} ${told.name} was ${told.outcome}, and is ${end?.type ?? 'none'}`);
    }
    for (const name of removed) {
      const booked = account.inputs.get(name);
      if (!isGone(booked) && booked?.end?.type !== 'cancelled')
        this.#verdict.find('outcome', `${workerId} ${name} was cancelled, and is ${booked?.end?.type ?? 'none'}`);
    }
    for (const { end } of account.inputs.values()) if (end !== null) this.#verdict.count(outcomeOf(end));
  }

  #lookAtReads({ workerId, reads }: Known, account: Account): void {
    for (const { after, to, chain } of reads) {
      const first = account.entries[0]?.sequence ?? 1;
      if (account.isTrimmed && after + 1 < first) continue;
      this.#verdict.count('entries read before', to - after);
      if (account.chainOf(after, to) !== chain)
        this.#verdict.find(
          'rewritten',
          `${workerId} ${after + 1} to ${to}, of ${account.entries.at(-1)?.sequence ?? 0}`,
        );
    }
  }

  #lookAtState({ workerId, completed, isTrimmed }: Account, state: WorkerAnswer['state']): void {
    if (state === null || (completed.length === 0 && isTrimmed)) return;
    this.#verdict.count('states asked for');
    const { count = 0, chain = '' } = completed.at(-1) ?? {};
    if (state.count !== count || state.chain !== chain)
      this.#verdict.find('state', `${workerId} is ${state.count} ${state.chain}, and ended with ${count} ${chain}`);
  }

  #noteEffects({ workerId, inputs, completed }: Account): void {
    const done = new Map(completed.map((output) => [output.name, output]));
    for (const { name, inputId, data } of inputs.values()) {
      const [number = name, ring] = name.split('/');
      if (ring !== undefined && !(Number(ring) < (done.get(number)?.rings ?? 0)))
        this.#verdict.find('torn', `${workerId} ${name} rang, and ${number} has not set it`);
      if (data.from === undefined) continue;
      const parent = `${data.from} ${name}`;
      const there = this.#children.get(parent) ?? [];
      this.#children.set(parent, [...there, { child: workerId, inputId, attempt: data.attempt }]);
    }
    for (const output of completed) {
      if (output.told !== undefined) this.#parents.set(`${workerId} ${output.name}`, output);
      for (let ring = 0; ring < (output.rings ?? 0); ring++) {
        this.#verdict.count('timers set');
        if (!inputs.has(`${output.name}/${ring}`))
          this.#verdict.find('torn', `${workerId} ${output.name} has set timer ${ring}, which has not rung`);
      }
    }
  }
}

const LIVES: Readonly<Record<Exclude<Known['life'], 'unsure'>, (status: string | null) => boolean>> = {
  active: (status) => status !== null && status !== 'stopped' && status !== 'failed',
  stopped: (status) => status === 'stopped',
  deleted: (status) => status === null,
  untold: () => true,
};

function outcomeOf({ type, data }: Entry): string {
  if (type === 'output') return 'completed';
  const { code } = data as { code?: string };
  if (type === 'cancelled') return code === 'expired' ? 'expired' : 'cancelled';
  return code === 'host_lost' ? 'unknown' : 'failed';
}
