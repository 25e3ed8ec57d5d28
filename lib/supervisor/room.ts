// Those who wait for room, in one worker's mailbox or among the bytes of the whole runtime. They are told whenever an input ends and
// look for themselves; who finds nothing keeps its place, so that the first in line is the first to look. While nobody waits, the
// end of an input costs one comparison.

/** Called whenever there may be room; must not throw. */
export type RoomListener = () => void;

/** The place of those who wait for bytes of the runtime, whichever worker lets go of them. */
const EVERYWHERE = {};

export class RoomLines {
  readonly #lines = new Map<object, Set<RoomListener>>();
  readonly #places = new Map<RoomListener, object>();

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  /** Stands in the line of a worker, or of all of them (null); in the old place if it stands there already. */
  join(listener: RoomListener, worker: object | null): void {
    const place = worker ?? EVERYWHERE;
    if (this.#places.get(listener) === place) return;
    this.leave(listener);
    this.#places.set(listener, place);
    const line = this.#lines.get(place);
    if (line === undefined) this.#lines.set(place, new Set([listener]));
    else line.add(listener);
  }

  leave(listener: RoomListener): void {
    const place = this.#places.get(listener);
    const line = place && this.#lines.get(place);
    if (place === undefined || line === undefined) return;
    this.#places.delete(listener);
    line.delete(listener);
    if (line.size === 0) this.#lines.delete(place);
  }

  /** Whether somebody stands in the line of the worker. */
  isAwaited(worker: object): boolean {
    return this.#lines.has(worker);
  }

  /** An input of this worker has ended; null: something else that was held for the whole runtime. */
  freed(worker: object | null): void {
    if (worker !== null) for (const listener of this.#lines.get(worker) ?? []) listener();
    for (const listener of this.#lines.get(EVERYWHERE) ?? []) listener();
  }
}
