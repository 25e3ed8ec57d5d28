// The options of the gateway, checked: as they come from the configuration, and as an embedding Backend gives them. Loads no WebSocket and
// no server, since the configuration is read long before either. Unknown keys are refused: a rule that is misspelt must not be no rule.

import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import { MAX_FUNCTION_ID_CHARS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { isToken, MAX_TOKEN_BYTES } from '../protocol/bearer.ts';
import { isObject } from '../protocol/payload.ts';
import type { CredentialRights, GatewayOptions } from './options.ts';
import { MAX_PATTERN_CHARS } from './patterns.ts';

/** The name of the policy of the runtime's own token. */
export const BACKEND_NAME = 'backend';
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
/** Letters, digits and `_ . -`, in parts joined by `::`; `engine` is the runtime's. */
const PREFIX = /^(?!engine(?:::|$))[A-Za-z0-9_.-]+(?:::[A-Za-z0-9_.-]+)*$/;
const MAX_PREFIX_CHARS = 64;
const LISTENER_NAME = /^[a-z0-9-]{1,64}$/;
/** Paths of the gateway itself, and keys that no object can hold safely. */
const RESERVED_LISTENERS = new Set(['otel', 'ws', 'constructor', 'prototype']);
/** Entries of one list, and of the metadata of one filter. */
const MAX_ENTRIES = 1_024;

export function isPrefix(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_PREFIX_CHARS && PREFIX.test(value);
}

// --- the schema; no message shows what was given, since tokens are among it ---

export const text = (expected: string, isValid: (value: string) => boolean) =>
  v.pipe(v.string(`must be ${expected}`), v.check(isValid, `must be ${expected}`));
export const flag = v.optional(v.boolean('must be true or false'));
const wholeAboveZero = v.pipe(
  v.number('must be a whole number of at least 1'),
  v.check((value) => Number.isSafeInteger(value) && value >= 1, 'must be a whole number of at least 1'),
);
const pattern = text(`a pattern of 1 to ${MAX_PATTERN_CHARS} characters`, (value) =>
  isBetween(value.length, 1, MAX_PATTERN_CHARS),
);
const functionId = v.optional(
  text(`the id of a function, 1 to ${MAX_FUNCTION_ID_CHARS} characters`, (value) =>
    isBetween(value.length, 1, MAX_FUNCTION_ID_CHARS),
  ),
);
export const listOf = <S extends v.GenericSchema>(item: S, what: string) =>
  v.pipe(
    v.array(item, `must be a list of ${what}`),
    v.maxLength(MAX_ENTRIES, `must be a list of at most ${MAX_ENTRIES} ${what}`),
  );
const object = v.custom<Record<string, unknown>>(isObject, 'must be an object');
/** A strictObject takes an array for an object; this does not. */
export const strict = <E extends v.ObjectEntries>(entries: E) => v.pipe(object, v.strictObject(entries));
const keyed = (least: number) =>
  v.pipe(
    object,
    v.check(
      (value) => isBetween(Object.keys(value).length, least, MAX_ENTRIES),
      `must have from ${least} to ${MAX_ENTRIES} keys`,
    ),
  );

const rights = {
  name: text(
    `1 to 64 of A-Z a-z 0-9 . _ -, and not ${BACKEND_NAME}`,
    (value) => NAME.test(value) && value !== BACKEND_NAME,
  ),
  call: v.optional(listOf(pattern, 'patterns')),
  expose: v.optional(listOf(pattern, 'patterns')),
  prefix: v.optional(
    text(`1 to ${MAX_PREFIX_CHARS} of A-Z a-z 0-9 _ . -, in parts joined by ::, and not engine`, isPrefix),
  ),
  bridge: flag,
  mcp: flag,
  limits: v.optional(
    strict({ maxCallsInFlight: v.optional(wholeAboveZero), maxFunctions: v.optional(wholeAboveZero) }),
  ),
};
const filter = v.union(
  [pattern, strict({ metadata: keyed(1) })],
  'must be a pattern, or an object with `metadata` alone',
);
const listener = strict({
  authFunctionId: functionId,
  exposeFunctions: v.optional(listOf(filter, 'filters')),
  middlewareFunctionId: functionId,
  onFunctionRegistrationFunctionId: functionId,
  onTriggerRegistrationFunctionId: functionId,
  onTriggerTypeRegistrationFunctionId: functionId,
});
const listeners = v.pipe(
  keyed(0),
  v.check(
    (value) => Object.keys(value).every((name) => LISTENER_NAME.test(name) && !RESERVED_LISTENERS.has(name)),
    `must have names of 1 to 64 of a-z 0-9 -, and none of ${[...RESERVED_LISTENERS].join(', ')}`,
  ),
  v.record(v.string(), listener),
);

/** What the gateway can be told, with credentials that hold their tokens as the given entries say. */
export function gatewaySchema<S extends v.GenericSchema<unknown, CredentialRights>>(credential: S) {
  return strict({
    credentials: v.optional(
      v.pipe(
        listOf(credential, 'credentials'),
        v.check((given) => new Set(given.map(({ name }) => name)).size === given.length, 'must have names that differ'),
      ),
    ),
    listeners: v.optional(listeners),
    otlpEndpoint: v.optional(text('an http or https URL without credentials, query and fragment', isEndpoint)),
    perMessageDeflate: flag,
  });
}

/** A credential with what else it may hold: its token, or where that is kept. */
export const credentialSchema = <E extends v.ObjectEntries>(entries: E) => strict({ ...rights, ...entries });

const schema = gatewaySchema(
  credentialSchema({ token: text(`1 to ${MAX_TOKEN_BYTES} visible ASCII characters`, isToken) }),
);

/** Refuses what does not hold together, or is more than the runtime's limits allow. Throws `invalid_option`, naming the place. */
export function requireGateway(given: GatewayOptions, limits: Limits): GatewayOptions {
  const result = v.safeParse(schema, given);
  if (!result.success) {
    const [issue] = result.issues;
    throw invalid(`gateway${placeOf(issue)} ${problemOf(issue)}`);
  }
  const { credentials = [] } = result.output;
  requireNarrower(credentials, limits);
  if (new Set(credentials.map(({ token }) => token)).size < credentials.length)
    throw invalid('gateway.credentials must have tokens that differ');
  return result.output;
}

/** A credential may have less than the runtime allows, never more. Throws `invalid_option`; `nameOf` says what a limit is called. */
export function requireNarrower(
  credentials: readonly CredentialRights[],
  limits: Limits,
  nameOf: (limit: keyof Limits) => string = (limit) => limit,
): void {
  for (const [index, { limits: own = {} }] of credentials.entries()) {
    for (const [key, limit] of [
      ['maxCallsInFlight', 'maxCallsInFlight'],
      ['maxFunctions', 'maxFunctionsPerRemote'],
    ] as const) {
      const value = own[key];
      if (value === undefined || value <= limits[limit]) continue;
      const place = `gateway.credentials[${index}].limits.${key}`;
      throw invalid(`${place} is ${value}, but must be at most ${nameOf(limit)} (${limits[limit]})`);
    }
  }
}

/** Where an issue is, below the value that was checked: `.credentials[0].name`. Empty for the value itself. */
export function placeOf(issue: v.BaseIssue<unknown>): string {
  return (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
}

/** What is wrong, without what was given. */
export function problemOf({ type, expected, message }: v.BaseIssue<unknown>): string {
  if (type !== 'strict_object') return message;
  return expected === 'never' ? 'is not an option' : 'is missing';
}

function isEndpoint(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, username, password, search, hash } = new URL(value);
  return /^https?:$/.test(protocol) && [username, password, search, hash].every((part) => part === '');
}

function isBetween(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}

function invalid(message: string): GreenroomError {
  return GreenroomError.of('invalid_option', { message });
}
