// How a function over HTTP is called: the same document for sessions, REST, the file and `createRuntime`.

import * as v from 'valibot';
import { MAX_WAIT_MS } from '../limits.ts';
import type { HttpAuth } from '../protocol/http-function.ts';
import { invalidRequest, requireValid } from '../protocol/issues.ts';
import { isObject } from '../protocol/payload.ts';
import { variableName } from '../protocol/variable-name.ts';
import { DEFAULT_TIMEOUT_MS, MAX_URL_CHARS } from './bounds.ts';
import { nameProblem, requireHeaders } from './headers.ts';
import type { Headers } from './headers.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Other clients write null for what they leave out. */
const optional = <S extends v.GenericSchema>(schema: S) => v.nullish(schema);

const Auth = v.variant('type', [
  v.strictObject({ type: v.literal('bearer'), token_key: variableName }),
  v.strictObject({
    type: v.literal('api_key'),
    header: v.pipe(
      v.string(),
      v.check((name) => nameProblem(name) === null, 'expected the name of a header that may be set'),
    ),
    value_key: variableName,
  }),
  v.strictObject({ type: v.literal('hmac'), secret_key: variableName }),
]);

const timeoutMessage = `expected a whole number from 1 to ${MAX_WAIT_MS}`;
export const definitionEntries = {
  url: v.pipe(
    v.string(),
    v.minLength(1, 'expected a URL'),
    v.maxLength(MAX_URL_CHARS, `expected at most ${MAX_URL_CHARS} characters`),
  ),
  /** Default POST. */
  method: optional(v.picklist(METHODS)),
  /** Default 30 s; its caller may have less. */
  timeout_ms: optional(
    v.pipe(
      v.number(),
      v.check((ms) => Number.isSafeInteger(ms) && ms >= 1 && ms <= MAX_WAIT_MS, timeoutMessage),
    ),
  ),
  headers: optional(v.record(v.string(), v.string())),
  auth: optional(Auth),
};
const Definition = v.strictObject(definitionEntries);

export interface HttpDefinition {
  /** As it was given; where it leads has not been looked at. */
  readonly url: string;
  readonly method: (typeof METHODS)[number];
  readonly timeoutMs: number;
  readonly headers: Readonly<Headers>;
  readonly auth: HttpAuth | null;
}

/** Throws `invalid_request`, naming the key and what is wrong there, never the value. */
export function readDefinition(document: unknown): HttpDefinition {
  if (!isObject(document)) throw invalidRequest('', 'expected an object');
  const { url, method, timeout_ms: timeoutMs, headers, auth } = requireValid(Definition, document, 'invalid_request');
  return {
    url,
    method: method ?? 'POST',
    timeoutMs: timeoutMs ?? DEFAULT_TIMEOUT_MS,
    headers: requireHeaders(headers ?? {}),
    auth: auth ?? null,
  };
}
