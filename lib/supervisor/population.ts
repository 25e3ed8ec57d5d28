// How many workers of one actor are in each status, counted as they change: with a million workers, counting them when
// somebody asks would stall the main loop.

import { WORKER_STATUSES } from '../protocol/views.ts';
import type { WorkerStatus } from '../protocol/views.ts';

export class Population {
  readonly counts = Object.fromEntries(WORKER_STATUSES.map((status) => [status, 0])) as Record<WorkerStatus, number>;

  add(status: WorkerStatus): void {
    this.counts[status]++;
  }

  remove(status: WorkerStatus): void {
    this.counts[status]--;
  }

  move(from: WorkerStatus, to: WorkerStatus): void {
    // Two of these for each ask: spelled out, because looking up a key that varies costs ten times as much.
    if (from === 'idle' && to === 'running') {
      this.counts.idle--;
      this.counts.running++;
    } else if (from === 'running' && to === 'idle') {
      this.counts.running--;
      this.counts.idle++;
    } else {
      this.counts[from]--;
      this.counts[to]++;
    }
  }
}
