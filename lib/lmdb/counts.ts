// How many workers there are, by kind and rest, kept by what happens to them.

import type { Rest } from '../store/store.ts';
import type { Decoder, Encoder } from './codec.ts';
import type { ReplayedOperation } from './operations.ts';

type ByRest = Record<Rest, number>;

export class Counts {
  readonly byKind: Map<string, ByRest>;

  constructor(byKind = new Map<string, ByRest>()) {
    this.byKind = byKind;
  }

  copy(): Counts {
    return new Counts(new Map(Array.from(this.byKind, ([kind, byRest]) => [kind, { ...byRest }])));
  }

  apply(operation: ReplayedOperation): void {
    if (operation.op === 'create') this.#add(operation.record.kind, 'hibernated', 1);
    else if (operation.op === 'rest') {
      this.#add(operation.kind, operation.from, -1);
      this.#add(operation.kind, operation.rest, 1);
    } else if (operation.op === 'delete') this.#add(operation.kind, operation.from, -1);
  }

  write(to: Encoder): void {
    to.varint(this.byKind.size);
    for (const [kind, { hibernated, stopped, failed }] of this.byKind) {
      to.text(kind);
      to.varint(hibernated);
      to.varint(stopped);
      to.varint(failed);
    }
  }

  static read(from: Decoder): Counts {
    const counts = new Counts();
    for (let left = from.varint(); left > 0; left--)
      counts.byKind.set(from.text(), {
        hibernated: from.varint(),
        stopped: from.varint(),
        failed: from.varint(),
      });
    return counts;
  }

  #add(kind: string, rest: Rest, by: number): void {
    const byRest = this.byKind.get(kind) ?? { hibernated: 0, stopped: 0, failed: 0 };
    // A worker whose row could not be read is counted as what it was, and deleted as something else.
    byRest[rest] = Math.max(0, byRest[rest] + by);
    if (byRest.hibernated + byRest.stopped + byRest.failed === 0) this.byKind.delete(kind);
    else this.byKind.set(kind, byRest);
  }
}
