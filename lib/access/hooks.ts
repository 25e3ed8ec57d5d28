// The functions that a listener asks: one whether a peer is let in, others whether and as what something is registered. What they are
// told and what they may answer has the names that the SDK's types give it. An answer of any other shape is a refusal.

import type { IncomingHttpHeaders } from 'node:http';
import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import type { Functions } from '../functions/registry.ts';
import { MAX_FUNCTION_ID_CHARS, MAX_REGISTRATION_BYTES } from '../limits.ts';
import { parseUntrusted } from '../protocol/json.ts';
import { encode, isObject, payloadBytes } from '../protocol/payload.ts';
import { isPrefix } from './options-schema.ts';
import type { Registration } from './policy.ts';

/** Calls a function with a JSON value and resolves to the one that it answers. */
export type CallFunction = (functionId: string, input: unknown) => Promise<unknown>;

/** What an upgrade request tells of a peer. */
export interface PeerRequest {
  readonly headers: IncomingHttpHeaders;
  /** Path and query, as requested. */
  readonly url: string;
  /** The address of the other end. */
  readonly ip: string;
}

/** What the auth function allows one peer. */
export type Grants = v.InferOutput<typeof grants>;

/** In the runtime's own name. Rejects as the call does, at the latest after `timeoutMs`, and with `invalid_output` for an answer above MAX_REGISTRATION_BYTES. */
export function createCallFunction(
  functions: Pick<Functions, 'call'>,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
): CallFunction {
  return async (functionId, input) => {
    const call = { payload: encode(input), metadata: null, caller: { workerId: null }, timeoutMs, signal };
    const answer = await functions.call(functionId, call);
    if (payloadBytes(answer) > MAX_REGISTRATION_BYTES)
      throw GreenroomError.of('invalid_output', { message: `The answer is above ${MAX_REGISTRATION_BYTES} bytes.` });
    return parseUntrusted(answer);
  };
}

// --- the auth function ---

const flag = (byDefault: boolean) => v.nullish(v.boolean(), byDefault);
const ids = v.array(v.string());
const context = v.custom<Record<string, unknown>>(isObject);
/** Unknown keys are refused: one that is misspelt could be a list of what is forbidden. `null` is how some languages leave a key out. */
const grants = v.pipe(
  v.custom<object>(isObject),
  v.strictObject({
    allowed_functions: v.nullish(ids, []),
    forbidden_functions: v.nullish(ids, []),
    allowed_trigger_types: v.nullish(ids, null),
    allow_trigger_type_registration: flag(false),
    allow_function_registration: flag(true),
    context: v.nullish(context, {}),
    function_registration_prefix: v.nullish(v.custom<string>(isPrefix), null),
  }),
);

/** Rejects when the function does, or with `invalid_output`. */
export async function askAuth(functionId: string, peer: PeerRequest, call: CallFunction): Promise<Grants> {
  return accept(grants, await call(functionId, authInput(peer)));
}

/** Without an auth function, everything may be registered. */
export const ALL_GRANTS: Grants = Object.freeze(v.parse(grants, { allow_trigger_type_registration: true }));

function authInput({ headers, url, ip }: PeerRequest): object {
  const query: [string, string[]][] = [];
  const { searchParams } = new URL(url, 'http://localhost');
  for (const key of new Set(searchParams.keys())) query.push([key, searchParams.getAll(key)]);
  const texts = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === 'string' ? value : value.join(', ')] as const],
  );
  return {
    headers: Object.fromEntries(texts),
    query_params: Object.fromEntries(query),
    // As a listener on all addresses reports a peer with an IPv4 one.
    ip_address: ip.replace(/^::ffff:(?=\d+\.)/i, ''),
  };
}

// --- hooks of registrations ---

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_FUNCTION_ID_CHARS));
// Other keys are ignored: a hook may send its input back with something changed.
const functionAnswer = v.pipe(
  v.custom<object>(isObject),
  v.object({ function_id: v.nullish(id), description: v.nullish(v.string()), metadata: v.optional(v.unknown()) }),
);
const triggerAnswer = v.pipe(
  v.custom<object>(isObject),
  v.object({
    trigger_id: v.nullish(v.string()),
    trigger_type: v.nullish(id),
    function_id: v.nullish(id),
    config: v.optional(v.unknown()),
  }),
);
const triggerTypeAnswer = v.pipe(
  v.custom<object>(isObject),
  v.object({ trigger_type_id: v.nullish(v.string()), description: v.nullish(v.string()) }),
);

/** What the hook made of a registration: what it leaves out stays as it was. Rejects when the function does, or with `invalid_output`. */
export async function askHook<R extends Registration>(
  functionId: string,
  given: R,
  { call, context: told }: { call: CallFunction; context: unknown },
): Promise<R> {
  const registration: Registration = given;
  switch (registration.kind) {
    case 'function': {
      const { functionId: function_id, description, metadata } = registration;
      const input = { function_id, ...(description !== null && { description }), metadata, context: told };
      const answer = accept(functionAnswer, await call(functionId, input));
      return {
        ...given,
        functionId: answer.function_id ?? function_id,
        description: answer.description ?? description,
        metadata: 'metadata' in answer ? answer.metadata : metadata,
      };
    }
    case 'trigger': {
      const {
        triggerId: trigger_id,
        triggerType: trigger_type,
        functionId: function_id,
        config,
        metadata,
      } = registration;
      const input = { trigger_id, trigger_type, function_id, config, metadata, context: told };
      const answer = accept(triggerAnswer, await call(functionId, input));
      requireSame(trigger_id, answer.trigger_id);
      return {
        ...given,
        triggerType: answer.trigger_type ?? trigger_type,
        functionId: answer.function_id ?? function_id,
        config: 'config' in answer ? answer.config : config,
      };
    }
    case 'trigger_type': {
      const { triggerType: trigger_type_id, description } = registration;
      const answer = accept(triggerTypeAnswer, await call(functionId, { trigger_type_id, description, context: told }));
      requireSame(trigger_type_id, answer.trigger_type_id);
      return { ...given, description: answer.description ?? description };
    }
  }
}

/** The peer knows its triggers and trigger types by these ids only, and would be lost with others. */
function requireSame(given: string, answered: string | null | undefined): void {
  if (answered === undefined || answered === null || answered === given) return;
  throw GreenroomError.of('invalid_output', { message: 'A hook cannot rename a trigger or a trigger type.' });
}

/** Never says what was answered. */
function accept<S extends v.GenericSchema>(schema: S, answer: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, answer, { abortEarly: true });
  if (result.success) return result.output;
  const path = v.getDotPath(result.issues[0]) ?? '';
  throw GreenroomError.of('invalid_output', {
    message: `The answer is not valid${path === '' ? '' : ` at ${path.slice(0, MAX_FUNCTION_ID_CHARS)}`}.`,
  });
}
