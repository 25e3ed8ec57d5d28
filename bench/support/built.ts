// The workers that a store is filled with, in the order of their numbers: what they are called, and whether the inputs that
// waited for them have run.

import { setTimeout as pause } from 'node:timers/promises';
import type { Standalone } from './standalone.ts';

/** Each adds 1 to a counter. */
export const INPUTS_EACH = 10;
const ID_DIGITS = 7;
const RUN_WITHIN_MS = 300_000;
const LOOK_EVERY_MS = 100;
const PAGE = 1_000;
/** Workers whose totals are asked for. */
const ASKED = 1_000;

export function builtId(worker: number): string {
  return `worker-${String(worker).padStart(ID_DIGITS, '0')}`;
}

interface Listing {
  readonly workers: readonly {
    readonly worker_id: string;
    readonly status: string;
    readonly mailbox: { readonly messages: number };
  }[];
}

function list(standalone: Standalone, after: string, limit: number): Promise<Listing> {
  return standalone.get(`/v1/workers?after=${after}&limit=${limit}`) as Promise<Listing>;
}

/** Workers are taken up in the order of their ids, many at a time; a listing does not wake them. */
export async function untilRun(standalone: Standalone, worker: number): Promise<void> {
  const workerId = builtId(worker);
  await until(`inputs of ${workerId} are still waiting`, async () => {
    const [found] = (await list(standalone, builtId(worker - 1), 1)).workers;
    if (found?.worker_id !== workerId) throw new Error(`${workerId} was looked for, ${found?.worker_id} was found`);
    return found.mailbox.messages === 0 && found.status !== 'running';
  });
}

export async function untilAllRun(standalone: Standalone, workers: number): Promise<void> {
  await untilRun(standalone, workers - 1);
  await until('inputs are still waiting', async () => {
    const { runtime } = (await standalone.get('/v1/runtime')) as { runtime: { mailbox: { messages: number } } };
    return runtime.mailbox.messages === 0;
  });
}

async function until(otherwise: string, look: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + RUN_WITHIN_MS; performance.now() < endMs; await pause(LOOK_EVERY_MS))
    if (await look()) return;
  throw new Error(`after ${RUN_WITHIN_MS} ms ${otherwise}`);
}

/**
 * Rejects when inputs wait, or totals are not what they should be. An input that may have run when its process was killed
 * ends as unknown, as counters want it.
 */
export async function requireAllRun(standalone: Standalone, workers: number, maxUnknown: number): Promise<void> {
  let [seen, after] = [0, ''];
  for (;;) {
    const page = (await list(standalone, after, PAGE)).workers;
    const waiting = page.find(({ mailbox }) => mailbox.messages > 0);
    if (waiting !== undefined) throw new Error(`${waiting.worker_id} has inputs that have not run`);
    seen += page.length;
    after = page.at(-1)?.worker_id ?? '';
    if (page.length < PAGE) break;
  }
  if (seen !== workers) throw new Error(`${workers} workers were there, ${seen} have come back`);
  let missing = 0;
  for (let number = 0; number < workers; number += Math.ceil(workers / ASKED)) {
    const total = await standalone.ask(builtId(number), { add: 0 });
    if (typeof total !== 'number' || total > INPUTS_EACH) throw new Error(`a total is ${JSON.stringify(total)}`);
    missing += INPUTS_EACH - total;
  }
  if (missing > maxUnknown) throw new Error(`${missing} inputs of some ${ASKED} workers have not been counted`);
}
