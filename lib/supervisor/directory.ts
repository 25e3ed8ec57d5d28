// Who owns a worker id. Asked in this one place, so that several machines can share the ids later.

import { GreenroomError } from '../errors.ts';
import { Peers } from '../functions/peers.ts';
import { MAX_PAGE_ITEMS } from '../limits.ts';
import { isWorkerId } from '../protocol/worker-ids.ts';
import { PEER_STATUSES } from '../protocol/views.ts';
import type { PeerStatus, PeerSummary, WorkerStatus } from '../protocol/views.ts';
import { SortedWorkers } from '../store/sorted-workers.ts';

/** Throws `invalid_worker_id`. */
export function requireWorkerId(workerId: string): string {
  if (!isWorkerId(workerId)) throw GreenroomError.of('invalid_worker_id');
  return workerId;
}

interface Listed {
  readonly workerId: string;
  readonly kind: string;
  readonly status: WorkerStatus;
}

export interface ListQuery {
  readonly status?: WorkerStatus | PeerStatus | undefined;
  /** Peers have none: with a kind only workers of actors match. */
  readonly kind?: string | undefined;
  readonly origin?: 'actor' | PeerSummary['origin'] | undefined;
  /** 1 to 1,000; default 100. */
  readonly limit?: number | undefined;
  /** Only ids above this one. */
  readonly after?: string | undefined;
}

export class Directory<W extends Listed> {
  readonly #workers = new Map<string, W>();
  readonly #sorted = new SortedWorkers<W>();
  /** They are listed beside the workers and share their ids. */
  readonly #peers: Peers;

  constructor(peers = new Peers()) {
    this.#peers = peers;
  }

  get size(): number {
    return this.#workers.size;
  }

  get(workerId: string): W | undefined {
    return this.#workers.get(workerId);
  }

  /** Throws `invalid_worker_id`, `worker_not_found`, or `unsupported_operation` if it is a peer. */
  require(workerId: string): W {
    const worker = this.#workers.get(workerId);
    if (worker === undefined) {
      requireWorkerId(workerId);
      this.#peers.refuseOperation(workerId);
      throw GreenroomError.of('worker_not_found', { message: `There is no worker ${workerId}.` });
    }
    return worker;
  }

  /** Throws `worker_exists` if a peer has the id. */
  requireNoPeer(workerId: string): void {
    if (this.#peers.has(workerId)) throw GreenroomError.of('worker_exists');
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

  /** Workers and peers, ascending by id, in code unit order. `mayMatch` false: no worker does, which the caller knows. */
  list(query: ListQuery, mayMatch = true): { workers: (W | PeerSummary)[]; nextAfter: string | null } {
    const limit = Math.min(query.limit ?? 100, MAX_PAGE_ITEMS);
    const workers: (W | PeerSummary)[] = [];
    const peers = this.#matchingPeers(query);
    let nextPeer = 0;
    const add = (one: W | PeerSummary): boolean => workers.length < limit && workers.push(one) > 0;
    const page = (isWhole: boolean) => ({ workers, nextAfter: isWhole ? null : (workers.at(-1)?.workerId ?? null) });
    for (const worker of mayMatch ? this.#matching(query) : []) {
      for (let peer = peers[nextPeer]; peer !== undefined && peer.workerId < worker.workerId; peer = peers[++nextPeer])
        if (!add(peer)) return page(false);
      if (!add(worker)) return page(false);
    }
    return page(peers.slice(nextPeer).every(add));
  }

  *#matching({ status, kind, origin, after }: ListQuery): Generator<W> {
    if (origin !== undefined && origin !== 'actor') return;
    for (const worker of this.#sorted.after(after)) {
      if (status !== undefined && worker.status !== status) continue;
      if (kind === undefined || worker.kind === kind) yield worker;
    }
  }

  #matchingPeers({ status, kind, origin, after = '' }: ListQuery): PeerSummary[] {
    const isExcluded = status !== undefined && !(PEER_STATUSES as readonly string[]).includes(status);
    if (kind !== undefined || origin === 'actor' || isExcluded) return [];
    return this.#peers
      .summaries(after)
      .filter((peer) => (status ?? peer.status) === peer.status && (origin ?? peer.origin) === peer.origin);
  }
}
