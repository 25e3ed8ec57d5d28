// What stands in the listings of workers beside the actors' workers: remotes that are connected or were until lately, and groups.
// They are listed and looked at like workers; what only an actor's worker can do is refused with `unsupported_operation`.

import { GreenroomError } from '../errors.ts';
import { LOST_PEERS_KEPT } from '../limits.ts';
import type { PeerSummary, PeerView } from '../protocol/views.ts';

export interface Peer {
  readonly workerId: string;
  summary(): PeerSummary;
  view(): PeerView;
}

export class Peers {
  readonly #live = new Map<string, Peer>();
  /** The views of those that have gone, oldest first; bounded. */
  readonly #lost = new Map<string, { readonly summary: PeerSummary; readonly view: PeerView }>();

  add(peer: Peer): void {
    this.#live.set(peer.workerId, peer);
  }

  /** Takes it out; its last view is kept for a while. Does nothing if the id belongs to another peer by now. */
  remove(peer: Peer): void {
    if (this.#live.get(peer.workerId) !== peer) return;
    this.#live.delete(peer.workerId);
    this.#lost.set(peer.workerId, { summary: peer.summary(), view: peer.view() });
    if (this.#lost.size <= LOST_PEERS_KEPT) return;
    const [oldest] = this.#lost.keys();
    if (oldest !== undefined) this.#lost.delete(oldest);
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
    return this.#live.has(workerId) || this.#lost.has(workerId);
  }

  view(workerId: string): PeerView | undefined {
    return this.#live.get(workerId)?.view() ?? this.#lost.get(workerId)?.view;
  }

  /** Live and lost ones, ascending by id; only those above `after`. A peer that is back is not shown as lost. */
  summaries(after = ''): PeerSummary[] {
    const live = [...this.#live.values()].filter(({ workerId }) => workerId > after).map((peer) => peer.summary());
    const lost = [...this.#lost.values()]
      .map(({ summary }) => summary)
      .filter(({ workerId }) => workerId > after && !this.#live.has(workerId));
    return [...live, ...lost].sort((a, b) => (a.workerId < b.workerId ? -1 : 1));
  }

  /** Throws `unsupported_operation` if the id is that of a peer. */
  refuseOperation(workerId: string): void {
    if (!this.has(workerId)) return;
    throw GreenroomError.of('unsupported_operation', {
      message: 'Only workers of actors take inputs and commands; a remote or a group is called through its functions.',
    });
  }
}
