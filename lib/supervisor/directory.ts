// Who owns a worker id. Asked in this one place, so that several machines can share the ids later.

import { GreenroomError } from '../errors.ts';
import { MAX_PAGE_ITEMS, MAX_WORKER_ID_CHARS } from '../limits.ts';
import type { WorkerStatus } from '../protocol/views.ts';
import { SortedWorkers } from './sorted-workers.ts';

const WORKER_ID = new RegExp(`^[A-Za-z0-9._:-]{1,${MAX_WORKER_ID_CHARS}}$`);

/** Throws `invalid_worker_id`. */
export function requireWorkerId(workerId: string): string {
  if (!WORKER_ID.test(workerId)) throw GreenroomError.of('invalid_worker_id');
  return workerId;
}

interface Listed {
  readonly workerId: string;
  readonly kind: string;
  readonly status: WorkerStatus;
}

export interface ListQuery {
  readonly status?: WorkerStatus | undefined;
  readonly kind?: string | undefined;
  /** 1 to 1,000; default 100. */
  readonly limit?: number | undefined;
  /** Only ids above this one. */
  readonly after?: string | undefined;
}

export class Directory<W extends Listed> {
  readonly #workers = new Map<string, W>();
  readonly #sorted = new SortedWorkers<W>();

  get size(): number {
    return this.#workers.size;
  }

  get(workerId: string): W | undefined {
    return this.#workers.get(workerId);
  }

  /** Throws `invalid_worker_id` or `worker_not_found`. */
  require(workerId: string): W {
    const worker = this.#workers.get(workerId);
    if (worker === undefined) {
      requireWorkerId(workerId);
      throw GreenroomError.of('worker_not_found', { message: `There is no worker ${workerId}.` });
    }
    return worker;
  }

  /** The id must not be taken. */
  add(worker: W): void {
    this.#workers.set(worker.workerId, worker);
    this.#sorted.add(worker);
  }

  /** Does nothing if the id belongs to another worker by now. */
  delete(worker: W): void {
    if (this.#workers.get(worker.workerId) !== worker) return;
    this.#workers.delete(worker.workerId);
    this.#sorted.delete(worker.workerId);
  }

  values(): IterableIterator<W> {
    return this.#workers.values();
  }

  /** Ascending by id, in code unit order. */
  list(query: ListQuery): { workers: W[]; nextAfter: string | null } {
    const limit = Math.min(query.limit ?? 100, MAX_PAGE_ITEMS);
    const workers: W[] = [];
    for (const worker of this.#sorted.after(query.after)) {
      if (query.status !== undefined && worker.status !== query.status) continue;
      if (query.kind !== undefined && worker.kind !== query.kind) continue;
      if (workers.length === limit) return { workers, nextAfter: workers.at(-1)?.workerId ?? null };
      workers.push(worker);
    }
    return { workers, nextAfter: null };
  }
}
