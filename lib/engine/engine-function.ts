// What one of the runtime's own functions is: a payload that is checked, an answer that is encoded, and who asks.

import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import type { FunctionCall } from '../functions/function.ts';
import { encode, invocationTooLarge, payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { requireValid } from '../protocol/issues.ts';
import type { Policy } from '../access/policy.ts';
import type { Remote, RemoteProfile } from './remote.ts';

/** Characters of what was asked for that a message repeats. */
const MAX_SHOWN_CHARS = 300;

/** A session, as the runtime's own functions know it. */
export interface DescribedRemote extends Remote {
  /** What it has said of itself; `engine::workers::register` writes it. */
  readonly profile: RemoteProfile;
}

export interface EngineCall extends FunctionCall {
  /** Null when no remote asks: a Backend, or an actor. */
  readonly session: DescribedRemote | null;
  /** What the caller may see; null: everything. */
  readonly policy: Policy | null;
}

export interface EngineFunction {
  readonly description: string;
  /** Answers with one encoded value. Throws or rejects with a GreenroomError. */
  run(input: unknown, call: EngineCall): Payload | Promise<Payload>;
}

/** By function id. */
export type EngineFunctions = Record<string, EngineFunction>;

/** Payloads that do not fit the schema are refused with `deserialization_error`; keys that it does not name are ignored. */
export function engineFunction<S extends v.GenericSchema>(
  description: string,
  schema: S,
  run: (input: v.InferOutput<S>, call: EngineCall) => unknown,
): EngineFunction {
  return {
    description,
    run: (input, call) => {
      if (Array.isArray(input)) throw notAnObject(); // to the schema it would be an object without keys
      const answer = run(requireValid(schema, input ?? {}, 'deserialization_error'), call);
      return answer instanceof Promise ? answer.then(encode) : answer instanceof Encoded ? answer.text : encode(answer);
    },
  };
}

/** An optional field: absent and null are the same. */
export function optional<S extends v.GenericSchema>(schema: S) {
  return v.nullish(schema);
}

/** An answer that is encoded already. */
class Encoded {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** `{ [name]: items }`, encoded item by item: one that would not fit a message is given up before it is built. */
export function listing(name: string, items: Iterable<unknown>, limitBytes: number): unknown {
  const parts: string[] = [];
  let bytes = name.length + '{"":[]}'.length;
  for (const item of items) {
    const part = encode(item);
    bytes += payloadBytes(part) + 1;
    if (bytes > limitBytes) throw invocationTooLarge(bytes, limitBytes);
    parts.push(part);
  }
  return new Encoded(`{${JSON.stringify(name)}:[${parts.join(',')}]}`);
}

function notAnObject(): GreenroomError {
  return GreenroomError.of('deserialization_error', {
    details: { issues: [{ path: '', message: 'expected Object' }] },
  });
}

export function notFound(what: string): GreenroomError {
  return GreenroomError.of('not_found', { message: `${what.slice(0, MAX_SHOWN_CHARS)} not found` });
}
