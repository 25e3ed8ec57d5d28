// Asks a runtime for all that the checker compares: everything over REST, when nothing is left to be done.

import { setTimeout as wait } from 'node:timers/promises';
import type { Entry } from './account.ts';
import type { Keyed } from './evidence.ts';
import type { WorkerAnswer } from './judge.ts';
import { errorCodeOf, send, sendBatch } from './wire.ts';
import type { Place } from './wire.ts';

const PAGE_ITEMS = 1_000;
const KEYS_PER_BATCH = 500;
const LOOK_EVERY_MS = 50;
const SETTLED = new Set(['idle', 'hibernated', 'stopped', 'failed']);

interface Summary {
  readonly worker_id: string;
  readonly status: string;
  readonly mailbox: { readonly messages: number };
}

export class Reading {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  /** Resolves when no worker has anything to do. Rejects after a time, with what still had. */
  async quiet(withinMs: number): Promise<void> {
    const giveUpAtMs = performance.now() + withinMs;
    for (;;) {
      const busy = (await this.#list()).filter(({ status, mailbox }) => !SETTLED.has(status) || mailbox.messages > 0);
      if (busy.length === 0) return;
      if (performance.now() > giveUpAtMs) throw new Error(`not quiet: ${JSON.stringify(busy.slice(0, 3))}`);
      await wait(LOOK_EVERY_MS);
    }
  }

  /** Resolves when all timers that a worker has set have rung; after a time in any case: the judge says what is missing. */
  async rung(workerIds: readonly string[], withinMs: number): Promise<void> {
    const giveUpAtMs = performance.now() + withinMs;
    for (const workerId of workerIds)
      while ((await this.#ringsOwed(workerId)) > 0 && performance.now() < giveUpAtMs) await wait(LOOK_EVERY_MS);
  }

  async worker(workerId: string, asksState: boolean): Promise<WorkerAnswer> {
    const { status, body } = await send(this.#place, 'GET', `/v1/workers/${workerId}`);
    if (status === 404) return { workerId, status: null, entries: [], state: null };
    if (status !== 200) throw new Error(`${workerId} was answered ${status}: ${JSON.stringify(body)}`);
    const worker = body['worker'] as Summary;
    const entries = await this.#entries(workerId);
    const isAwake = worker.status === 'idle' || worker.status === 'hibernated';
    return {
      workerId,
      status: worker.status,
      entries,
      state: asksState && isAwake ? await this.#state(workerId) : null,
    };
  }

  /** What an input is said to be; null when no receipt is kept. */
  async receipt(workerId: string, inputId: string): Promise<{ outcome?: string; output?: unknown } | null> {
    const { status, body } = await send(this.#place, 'GET', `/v1/workers/${workerId}/inputs/${inputId}`);
    return status === 200 ? (body['input'] as { outcome?: string; output?: unknown }) : null;
  }

  /** The same inputs with the same keys once more: the ids that they are answered with, or the code of what they are refused with. */
  async repeated(keyed: readonly Keyed[]): Promise<string[]> {
    const answers: string[] = [];
    for (let at = 0; at < keyed.length; at += KEYS_PER_BATCH) {
      const lines = keyed
        .slice(at, at + KEYS_PER_BATCH)
        .map(({ workerId, key, input }) => ({ worker_id: workerId, input, idempotency_key: key }));
      for await (const body of sendBatch(this.#place, lines))
        answers.push((body['ack'] as { input_id: string } | undefined)?.input_id ?? errorCodeOf({ body }) ?? 'nothing');
    }
    return answers;
  }

  async #list(): Promise<Summary[]> {
    const workers: Summary[] = [];
    for (let after: string | null = ''; after !== null;) {
      const query: string = after === '' ? '' : `&after=${encodeURIComponent(after)}`;
      const { body } = await send(this.#place, 'GET', `/v1/workers?origin=actor&limit=${PAGE_ITEMS}${query}`);
      if (!Array.isArray(body['workers'])) throw new Error(`the listing is ${JSON.stringify(body)}`);
      workers.push(...(body['workers'] as Summary[]));
      after = (body['next_after'] as string | null | undefined) ?? null;
    }
    return workers;
  }

  async #entries(workerId: string): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (let after = 0; ;) {
      const path = `/v1/workers/${workerId}/transcript?after=${after}&limit=${PAGE_ITEMS}`;
      const { status, body } = await send(this.#place, 'GET', path);
      const first = trimmedTo(body);
      if (first !== null && first - 1 > after) {
        after = first - 1;
        continue;
      }
      if (status === 404) return entries; // the judge says whether it should be there
      if (status !== 200)
        throw new Error(`the transcript of ${workerId} was answered ${status}: ${JSON.stringify(body)}`);
      const page = body['transcript'] as { items: Entry[]; next_after: number; has_more: boolean };
      entries.push(...page.items);
      if (!page.has_more) return entries;
      after = page.next_after;
    }
  }

  async #state(workerId: string): Promise<WorkerAnswer['state']> {
    const { body } = await send(
      this.#place,
      'POST',
      `/v1/workers/${workerId}/input`,
      { peek: true },
      { prefer: 'wait=15' },
    );
    const result = body['result'] as { output?: WorkerAnswer['state'] } | undefined;
    if (result?.output === undefined) throw new Error(`${workerId} did not tell its state: ${JSON.stringify(body)}`);
    return result.output;
  }

  async #ringsOwed(workerId: string): Promise<number> {
    let owed = 0;
    for (const { type, data } of await this.#entries(workerId)) {
      if (type === 'output') owed += (data as { rings?: number } | null)?.rings ?? 0;
      if (type === 'input' && (data as { ring?: number }).ring !== undefined) owed--;
    }
    return owed;
  }
}

/** Where a transcript begins, if its reader is told to go on there. */
function trimmedTo(body: Record<string, unknown>): number | null {
  if (errorCodeOf({ body }) !== 'transcript_trimmed') return null;
  const { details } = body['error'] as { details?: { first_sequence?: number } };
  return details?.first_sequence ?? null;
}
