// The state of a worker, brought from the version that it was saved with to that of its actor. Whatever goes wrong, the saved state
// stays as it is, and the worker does not start: to run it on a state that its actor does not know would spoil that state.

import type { ActorDefinition } from '../actor.ts';
import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';
import { decode } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { encodeState, failureOf, isThenable } from './outcomes.ts';

export interface SavedState {
  readonly state: Payload;
  readonly stateVersion: number;
}

/** The new state, encoded. Throws `migration_failed`; `report` gets a description of what the actor threw, for the log. */
export function migrateState(
  definition: ActorDefinition,
  { state, stateVersion: from }: SavedState,
  limitBytes: number,
  report: (fields: Record<string, unknown>) => void,
): string {
  const { stateVersion: to = 0 } = definition;
  const failed = (reason: string) =>
    GreenroomError.of('migration_failed', {
      message: `The state of version ${from} could not be brought to version ${to}: ${reason}`,
      details: { from, to, reason },
    });
  if (from > to) throw failed('it is newer than the actor.');
  if (definition.migrate === undefined) throw failed('the actor has no `migrate`.');
  const old = decode(state);
  let migrated: unknown;
  try {
    migrated = definition.migrate(old, from);
  } catch (thrown) {
    throw failed(reasonOf(failureOf(thrown, report)));
  }
  if (isThenable(migrated)) {
    // Nobody waits for it, so what becomes of it goes to the log.
    Promise.resolve(migrated).catch((thrown: unknown) => failureOf(thrown, report));
    throw failed('`migrate` returned a promise.');
  }
  // Not null, which is a state: it was most likely forgotten.
  if (migrated === undefined) throw failed('`migrate` returned nothing.');
  try {
    return encodeState(migrated, limitBytes);
  } catch (thrown) {
    throw failed(unencodable(thrown as GreenroomError));
  }
}

/** An error without a code of its own may quote the state, so that its message is for the log only. */
function reasonOf({ code, message }: WireError): string {
  return code === 'actor_error' ? '`migrate` threw an error.' : `\`migrate\` refused it: ${message}`;
}

function unencodable({ code, details }: GreenroomError): string {
  if (code !== 'payload_too_large') return 'what `migrate` returned is not plain JSON.';
  return `what \`migrate\` returned has ${String(details?.['payload_bytes'])} bytes, the limit is ${String(details?.['limit_bytes'])}.`;
}
