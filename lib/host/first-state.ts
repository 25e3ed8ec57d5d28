// The state that a worker starts with.

import { encodeState } from './outcomes.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Cell } from './cell.ts';
import type { WorkerSpec } from './host.ts';
import { migrateState } from './migration.ts';

/** Whether there is code of the actor to be run for it; otherwise the worker goes on with the state that it has, if any. */
export function makesState({ definition }: Cell, { state: saved, stateVersion }: WorkerSpec): boolean {
  return saved === null ? definition.state !== undefined : stateVersion !== (definition.stateVersion ?? 0);
}

/** A first state, or one of another version that was migrated. Throws what the actor throws, or why there is none. */
export function makeState(cell: Cell, { state: saved, stateVersion }: WorkerSpec, config: unknown): Payload {
  const { actor, definition, host, workerId } = cell;
  if (saved === null) return actor.shareFirstState(encodeState(definition.state?.(config), host.maxMessageBytes));
  return migrateState(definition, { state: saved, stateVersion }, host.maxMessageBytes, (fields) =>
    host.log(workerId, 'error', 'migrate() failed', fields),
  );
}
