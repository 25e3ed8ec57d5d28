// What the protocol's own engine has and this runtime does not: state, streams, queues, schedules, pub/sub, an HTTP gateway.
// Asking for one of them is answered as such instead of as a name that nobody knows; a remote may provide any of them itself,
// so this is only looked at when nobody does.

import { GreenroomError } from '../errors.ts';
import { MAX_FUNCTION_ID_CHARS } from '../limits.ts';

const TRIGGER_TYPES: ReadonlySet<string> = new Set([
  'api',
  'cron',
  'durable::subscriber',
  'durable:subscriber',
  'event',
  'http',
  'log',
  'queue',
  'state',
  'stream',
  'stream:join',
  'stream:leave',
  'subscribe',
]);

/** `stream::get(NAME)` belongs to a stream that some worker provides. */
const FUNCTION_IDS = [
  /^state::(?:delete|get|list|list_groups|set|update)$/,
  /^stream::(?:delete|get|list|list_groups|send|set|update)(?:\(.*\))?$/,
  /^(?:enqueue|publish)$/,
  /^(?:engine::(?:cron|http|logs|metrics|queue|state|stream|traces)|iii::(?:durable|queue))::/,
];

/** Null when the type is simply not known (yet). */
export function unsupportedTriggerType(triggerType: string): GreenroomError | null {
  return TRIGGER_TYPES.has(triggerType) ? refusal(`The trigger type ${triggerType}`) : null;
}

/** For a function that is not registered; null when the id is simply not known. */
export function unsupportedRefusal(functionId: string): GreenroomError | null {
  return FUNCTION_IDS.some((pattern) => pattern.test(functionId))
    ? refusal(`The function ${functionId.slice(0, MAX_FUNCTION_ID_CHARS)}`)
    : null;
}

function refusal(what: string): GreenroomError {
  return GreenroomError.of('unsupported_operation', {
    message: `${what} is not part of this runtime; a connected worker may provide it.`,
  });
}
