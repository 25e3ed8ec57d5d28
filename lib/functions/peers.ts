// What stands in the listings of workers beside the actors' workers: remotes that are connected or were until lately, and groups.
// They are listed and looked at like workers; what only an actor's worker can do is refused with `unsupported_operation`.

import { performance } from 'node:perf_hooks';
import { GreenroomError } from '../errors.ts';
import { LOST_PEERS_KEPT, LOST_PEERS_KEPT_MS } from '../limits.ts';
import type { PeerSummary, PeerView } from '../protocol/views.ts';

export interface Peer {
  readonly workerId: string;
  summary(): PeerSummary;
  view(): PeerView;
}

export class Peers {
  readonly #live = new Map<string, Peer>();
  /** The last views of those that have gone, oldest first; bounded in number and age. */
  readonly #lost = new Map<string, { readonly summary: PeerSummary; readonly view: PeerView; readonly atMs: number }>();
  readonly #now: () => number;

  /** @param now monotonic, in ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  add(peer: Peer): void {
    this.#live.set(peer.workerId, peer);
  }

  /** Takes it out; its last view is kept for a while. Does nothing if the id belongs to another peer by now. */
  remove(peer: Peer): void {
    if (this.#live.get(peer.workerId) !== peer) return;
    this.#live.delete(peer.workerId);
    this.#lost.set(peer.workerId, { summary: peer.summary(), view: peer.view(), atMs: this.#now() });
    this.#forgetOld();
  }

  /** The same, and nothing is kept of it. */
  forget(peer: Peer): void {
    if (this.#live.get(peer.workerId) === peer) this.#live.delete(peer.workerId);
  }

  get size(): number {
    return this.#live.size;
  }

  /** Remotes that are connected. */
  get remotes(): number {
    let count = 0;
    for (const peer of this.#live.values()) if (peer.summary().origin === 'remote') count++;
    return count;
  }

  has(workerId: string): boolean {
    this.#forgetOld();
    return this.#live.has(workerId) || this.#lost.has(workerId);
  }

  /** Whether a remote that is connected has the name as its id, or calls itself so. */
  isRemote(name: string): boolean {
    for (const peer of this.#live.values()) {
      const { origin, workerId, displayName } = peer.summary();
      if (origin === 'remote' && (workerId === name || displayName === name)) return true;
    }
    return false;
  }

  view(workerId: string): PeerView | undefined {
    this.#forgetOld();
    return this.#live.get(workerId)?.view() ?? this.#lost.get(workerId)?.view;
  }

  /** Live and lost ones, ascending by id; only those above `after`. A peer that is back is not shown as lost. */
  summaries(after = ''): PeerSummary[] {
    this.#forgetOld();
    const live = [...this.#live.values()].filter(({ workerId }) => workerId > after).map((peer) => peer.summary());
    const lost = [...this.#lost.values()]
      .map(({ summary }) => summary)
      .filter(({ workerId }) => workerId > after && !this.#live.has(workerId));
    return [...live, ...lost].sort(byId);
  }

  /** All of them in full, in the same order. */
  views(): PeerView[] {
    this.#forgetOld();
    const live = [...this.#live.values()].map((peer) => peer.view());
    const lost = [...this.#lost.values()].map(({ view }) => view).filter(({ workerId }) => !this.#live.has(workerId));
    return [...live, ...lost].sort(byId);
  }

  /** Throws `unsupported_operation` if the id is that of a peer. */
  refuseOperation(workerId: string): void {
    if (!this.has(workerId)) return;
    throw GreenroomError.of('unsupported_operation', {
      message: 'Only workers of actors take inputs and commands; a remote or a group is called through its functions.',
    });
  }

  #forgetOld(): void {
    for (const [workerId, { atMs }] of this.#lost) {
      if (this.#lost.size <= LOST_PEERS_KEPT && this.#now() - atMs < LOST_PEERS_KEPT_MS) return;
      this.#lost.delete(workerId);
    }
  }
}

function byId(a: PeerSummary, b: PeerSummary): number {
  return a.workerId < b.workerId ? -1 : 1;
}
