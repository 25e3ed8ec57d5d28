// How calls of an actor's functions travel: as inputs of one form, told from all others by a reserved key. So they go through
// the mailbox, the transcript and the hosts like any input, and none of those has to know of them.
// The two ends share this file: the supervisor writes calls and checks them, the host runs them.

import * as v from 'valibot';
import type { ActorContext, ActorDefinition } from '../actor.ts';
import { GreenroomError } from '../errors.ts';
import { splice } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { isThenable } from './outcomes.ts';

/** The key that makes an object a call; its value is the name of the function. */
const CALL = 'greenroom:call';

/** A call as an encoded input. The payload is one JSON value, encoded, and is put in as it is. */
export function encodeCall(name: string, payload: Payload): Payload {
  const head = `{"${CALL}":${JSON.stringify(name)},"payload":`;
  return splice(head, payload, '}');
}

/** A call that its function's schema has accepted. Of a class: whatever an actor's own schema makes of an input, it is none. */
class Call {
  readonly name: string;
  readonly payload: unknown;

  constructor(name: string, payload: unknown) {
    this.name = name;
    this.payload = payload;
  }
}

/**
 * The definition as it is run: its input takes calls too, each checked against the schema of its function, and `receive` runs
 * them. What an actor without functions is run by is its definition itself, so they cost it nothing.
 */
export function withFunctions(definition: ActorDefinition): ActorDefinition {
  const { functions, output, ...rest } = definition;
  if (functions === undefined) return definition;
  const calls = new Map(Object.entries(functions).map(([name, { input }]) => [name, callSchema(name, input)]));
  const input = v.lazy((value) => {
    const name = calledName(value);
    return name === undefined ? definition.input : (calls.get(name) ?? noFunction);
  });
  const receive = (value: unknown, ctx: ActorContext): unknown => {
    if (!(value instanceof Call)) return checked(output, definition.receive(value, ctx));
    const called = functions[value.name] as (typeof functions)[string];
    return checked(called.output, called.run(value.payload, ctx));
  };
  // Without the output schema: which one holds depends on the input, so `receive` has looked.
  return { ...rest, input, receive };
}

const noFunction = v.custom<unknown>(() => false, 'the actor has no function of that name');

/** Issues are about the payload: their paths begin there. */
function callSchema(name: string, input: v.GenericSchema): v.GenericSchema {
  return v.pipe(
    v.unknown(),
    v.transform((call) => (call as { payload?: unknown }).payload),
    input,
    v.transform((payload) => new Call(name, payload)),
  );
}

function calledName(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, CALL)) return undefined;
  return String((value as Record<string, unknown>)[CALL]);
}

/** Throws, or rejects with, `invalid_output` if the schema does not accept what was returned. */
export function checked(schema: v.GenericSchema | undefined, returned: unknown): unknown {
  if (schema === undefined) return returned;
  const check = (value: unknown): unknown => {
    if (!v.is(schema, value)) throw GreenroomError.of('invalid_output');
    return value;
  };
  // Through a promise of ours: a thenable may call back twice.
  return isThenable(returned) ? Promise.resolve(returned).then(check) : check(returned);
}
