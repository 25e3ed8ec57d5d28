// Tells with back-pressure: a burst to each worker, then a question that the worker answers in its turn, so that nothing is
// ever refused and the answer proves that the burst was handled.

import type { WorkerHandle } from '../../lib/index.ts';
import type { Tally } from '../actors/tally.ts';
import { within } from './load.ts';
import { nextQuestion } from './question.ts';

export const WORKERS = 16;
export const IN_FLIGHT = 1_024;
/** And one report, which is not counted. */
const BURST = IN_FLIGHT / WORKERS - 1;
const ENDS_WITHIN_MS = 20_000;

/** Told and proven to be handled, per second. Rejects when a worker did not handle exactly what it was told. */
export async function holdBursts(workers: readonly WorkerHandle[], forMs: number): Promise<number> {
  let isOver = false;
  let handled = 0;
  const lane = async (worker: WorkerHandle): Promise<void> => {
    let { count, sum } = (await worker.ask('report')) as Tally;
    while (!isOver) {
      for (let told = 0; told < BURST; told++) {
        const question = nextQuestion();
        await worker.tell(question);
        count++;
        sum += question.id;
      }
      const report = (await worker.ask('report')) as Tally;
      if (report.count !== count || report.sum !== sum) {
        throw new Error(`told ${count} (sum ${sum}), handled ${report.count} (sum ${report.sum})`);
      }
      handled += BURST;
    }
  };
  const startMs = performance.now();
  const end = setTimeout(() => (isOver = true), forMs);
  try {
    await within(Promise.all(workers.map(lane)), forMs + ENDS_WITHIN_MS, () => 'a report is missing');
  } finally {
    isOver = true;
    clearTimeout(end);
  }
  return handled / ((performance.now() - startMs) / 1_000);
}
