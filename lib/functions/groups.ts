// Groups: workers of the listings without a process, for functions that the runtime calls itself. A group begins with its first member and
// ends with its last, and is its owner's for that long: nobody else's functions can join it, and no worker can take its name.

import { GreenroomError } from '../errors.ts';
import { isWorkerId } from '../protocol/worker-ids.ts';
import type { PeerSummary, PeerView } from '../protocol/views.ts';
import type { FunctionOwner, ListedWorker } from './function.ts';
import type { Peer, Peers } from './peers.ts';

export interface GroupParts {
  readonly peers: Peers;
  /** Of the runtime. */
  readonly version: string;
  /** Whether a worker that is no group has the name, as its id or as what it calls itself. */
  isWorker(name: string): boolean;
  /** How many functions it has. */
  countOf(group: ListedWorker): number;
}

class Group implements ListedWorker, Peer {
  readonly origin = 'group';
  readonly ownerId: string;
  readonly owner: FunctionOwner;
  readonly #parts: GroupParts;
  readonly #createdAt = new Date().toISOString();

  constructor(name: string, owner: FunctionOwner, parts: GroupParts) {
    this.ownerId = name;
    this.owner = owner;
    this.#parts = parts;
  }

  get name(): string {
    return this.ownerId;
  }

  get workerId(): string {
    return this.ownerId;
  }

  summary(): PeerSummary {
    return {
      workerId: this.ownerId,
      origin: 'group',
      kind: null,
      displayName: this.ownerId,
      status: 'available',
      createdAt: this.#createdAt,
      mailbox: { messages: 0, bytes: 0 },
      functions: this.#parts.countOf(this),
      runtime: 'engine',
      version: this.#parts.version,
      connectedAt: this.#createdAt,
      inFlight: 0,
      disconnectReason: null,
    };
  }

  view(): PeerView {
    const nothing = { description: null, os: null, pid: null, isolation: null, address: null };
    return { ...this.summary(), ...nothing, lateResults: 0, refused: [] };
  }
}

export class Groups {
  readonly #parts: GroupParts;
  readonly #groups = new Map<string, Group>();

  constructor(parts: GroupParts) {
    this.#parts = parts;
  }

  /** Throws `invalid_request` for what cannot be the id of a worker, `worker_exists` for a name that somebody else has. */
  requireFree(name: string, owner: FunctionOwner): void {
    if (!isWorkerId(name)) {
      const message = 'expected what can be the id of a worker: 1 to 128 of A-Z a-z 0-9 . _ : -';
      throw GreenroomError.of('invalid_request', { details: { issues: [{ path: 'group', message }] } });
    }
    const group = this.#groups.get(name);
    if (group === undefined ? this.#parts.isWorker(name) : group.owner !== owner) {
      throw GreenroomError.of('worker_exists', { message: `Another worker or group is called ${name}.` });
    }
  }

  /** For a function that is about to be one of its members. Throws as `requireFree` does. */
  join(name: string, owner: FunctionOwner): ListedWorker {
    this.requireFree(name, owner);
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    const group = new Group(name, owner, this.#parts);
    this.#groups.set(name, group);
    this.#parts.peers.add(group);
    return group;
  }

  /** The worker has no function left: if it is a group, that is its end. */
  leave(worker: ListedWorker): void {
    const group = this.#groups.get(worker.ownerId);
    if (group === undefined || group !== worker) return;
    this.#groups.delete(group.ownerId);
    this.#parts.peers.forget(group);
  }
}
