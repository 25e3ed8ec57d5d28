// Whose code is it? What an actor leaves behind (a timer, a callback, a promise that nobody awaits) runs in the name of the worker
// that started it, so that a failure there is known to be that worker's and its neighbours need not pay for it.
//
// Measured: AsyncLocalStorage.run takes 6 ns on Node 20 and 200 to 350 on 24 and 26, where it copies a map each time; entering a
// resource that was made in it once takes 6 to 18 on all of them, and 80 to 264 bytes. So a worker has one, from its first input on.

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { Cell } from './cell.ts';

const owners = new AsyncLocalStorage<Cell>();

/** Made here, where no worker is about. */
const nobody = new AsyncResource('GreenroomHost');

export type Scope = AsyncResource;

/** What is entered to run code in the name of a worker. */
export function scopeOf(cell: Cell): Scope {
  return owners.run(cell, newScope);
}

function newScope(): Scope {
  return new AsyncResource('GreenroomWorker');
}

/** The worker in whose name this code runs, or has failed. It may have left the host meanwhile. */
export function ownerOf(): Cell | undefined {
  return owners.getStore();
}

/** Runs what belongs to the host although an actor's code has led here: a failure of it is nobody's. */
export function asNobody<R>(run: () => R): R {
  return nobody.runInAsyncScope(run);
}
