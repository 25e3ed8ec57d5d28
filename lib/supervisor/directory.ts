// Who owns a worker id. Asked in this one place, so that several machines can share the ids later. Workers that are loaded stand here;
// the others are known to the store, and are loaded when somebody asks for them.

import { GreenroomError } from '../errors.ts';
import { Peers } from '../functions/peers.ts';
import { MAX_PAGE_ITEMS } from '../limits.ts';
import { isWorkerId } from '../protocol/worker-ids.ts';
import { PEER_STATUSES } from '../protocol/views.ts';
import type { PeerStatus, PeerSummary, WorkerStatus } from '../protocol/views.ts';
import type { Store, StoredSummary, WorkerStore } from '../store/store.ts';

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
  readonly #loaded = new Map<string, W>();
  readonly #store: Store;
  readonly #load: (stored: WorkerStore) => W;
  /** They are listed beside the workers and share their ids. */
  readonly #peers: Peers;
  #size: number;
  /** Those that somebody holds across a wait, and how many do. */
  readonly #held = new Map<W, number>();
  /** Told when one more worker is loaded. */
  onAdded: () => void = () => undefined;

  /** @param load makes a worker of what the store has; it is loaded from then on. */
  constructor(store: Store, load: (stored: WorkerStore) => W, peers = new Peers()) {
    this.#store = store;
    this.#load = load;
    this.#peers = peers;
    this.#size = [...store.counts().values()].reduce((sum, by) => sum + by.hibernated + by.stopped + by.failed, 0);
  }

  /** All workers, loaded or not. */
  get size(): number {
    return this.#size;
  }

  get(workerId: string): W | undefined {
    const loaded = this.#loaded.get(workerId);
    if (loaded !== undefined) return loaded;
    const stored = this.#store.find(workerId);
    if (stored === undefined) return undefined;
    const worker = this.#load(stored);
    this.#loaded.set(workerId, worker);
    this.onAdded();
    return worker;
  }

  /** If it is loaded. */
  peek(workerId: string): W | undefined {
    return this.#loaded.get(workerId);
  }

  /** Throws `invalid_worker_id`, `worker_not_found`, or `unsupported_operation` if it is a peer. */
  require(workerId: string): W {
    const worker = this.get(workerId);
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
    this.#loaded.set(worker.workerId, worker);
    this.#size++;
    this.onAdded();
  }

  /** The worker is no more. Does nothing if the id belongs to another worker by now. */
  delete(worker: W): void {
    if (this.#loaded.get(worker.workerId) !== worker) return;
    this.#loaded.delete(worker.workerId);
    this.#size--;
  }

  /** The store alone knows the worker from now on. False if somebody holds it, or it is not the one that is loaded. */
  unload(worker: W): boolean {
    if (this.#held.has(worker) || !this.isLoaded(worker)) return false;
    return this.#loaded.delete(worker.workerId);
  }

  /** Keeps the worker loaded until what is returned is called. */
  hold(worker: W): () => void {
    this.#held.set(worker, (this.#held.get(worker) ?? 0) + 1);
    return () => {
      const left = (this.#held.get(worker) ?? 1) - 1;
      if (left === 0) this.#held.delete(worker);
      else this.#held.set(worker, left);
    };
  }

  isLoaded(worker: W): boolean {
    return this.#loaded.get(worker.workerId) === worker;
  }

  get loadedSize(): number {
    return this.#loaded.size;
  }

  /** Those that are loaded. */
  loaded(): IterableIterator<W> {
    return this.#loaded.values();
  }

  /** Workers and peers, ascending by id, in code unit order. `mayMatch` false: no worker does, which the caller knows. */
  list(query: ListQuery, mayMatch = true): { workers: (W | StoredSummary | PeerSummary)[]; nextAfter: string | null } {
    const limit = Math.min(query.limit ?? 100, MAX_PAGE_ITEMS);
    const workers: (W | StoredSummary | PeerSummary)[] = [];
    const peers = this.#matchingPeers(query);
    let nextPeer = 0;
    const add = (one: W | StoredSummary | PeerSummary): boolean => workers.length < limit && workers.push(one) > 0;
    const page = (isWhole: boolean) => ({ workers, nextAfter: isWhole ? null : (workers.at(-1)?.workerId ?? null) });
    for (const worker of mayMatch ? this.#matching(query) : []) {
      for (let peer = peers[nextPeer]; peer !== undefined && peer.workerId < worker.workerId; peer = peers[++nextPeer])
        if (!add(peer)) return page(false);
      if (!add(worker)) return page(false);
    }
    return page(peers.slice(nextPeer).every(add));
  }

  *#matching({ status, kind, origin, after = '' }: ListQuery): Generator<W | StoredSummary> {
    if (origin !== undefined && origin !== 'actor') return;
    for (const stored of this.#store.list(after)) {
      if (kind !== undefined && stored.kind !== kind) continue;
      const loaded = this.#loaded.get(stored.workerId);
      if (status === undefined || status === (loaded?.status ?? stored.rest)) yield loaded ?? stored;
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
