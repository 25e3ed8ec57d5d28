// What a definition says of an MCP server, checked: where it listens, or how it is started. Nothing is looked up here.

import * as v from 'valibot';
import { requireHeaders } from '../http/headers.ts';
import { invalidRequest, requireValid } from '../protocol/issues.ts';
import { variableName } from '../protocol/variable-name.ts';
import { MAX_ENTRIES, MAX_TEXT_CHARS } from './bounds.ts';

export interface HttpSettings {
  readonly url: string;
  /** Sent with every request, as they are. Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** The name of the variable that holds the bearer token; null for none. */
  readonly tokenVariable: string | null;
}

export interface StdioSettings {
  /** Started without a shell. */
  readonly command: string;
  readonly args: readonly string[];
  /** Beside PATH, HOME and LANG: values, and names of variables. */
  readonly env: Readonly<Record<string, string | { readonly variable: string }>>;
  /** Default: that of the runtime. */
  readonly cwd: string | undefined;
}

/** What the protocol says itself. */
const RESERVED_HEADERS = /^(?:accept|accept-encoding|last-event-id|content-.*|mcp-.*)$/;

const text = v.pipe(
  v.string('expected a text'),
  v.check(
    (value) => value.length <= MAX_TEXT_CHARS && !value.includes('\0'),
    `expected at most ${MAX_TEXT_CHARS} characters`,
  ),
);
const nonEmpty = v.pipe(text, v.nonEmpty('expected a text that is not empty'));
const atMost = <S extends v.GenericSchema<unknown, object>>(schema: S) =>
  v.pipe(
    schema,
    v.check((value) => Object.keys(value).length <= MAX_ENTRIES, `expected at most ${MAX_ENTRIES} entries`),
  );

const Http = v.strictObject({
  url: nonEmpty,
  headers: v.optional(v.record(v.string(), v.string()), {}),
  auth: v.optional(v.strictObject({ type: v.literal('bearer', 'expected bearer'), token_key: variableName })),
});
const Stdio = v.strictObject({
  command: nonEmpty,
  args: v.optional(v.pipe(v.array(text), v.maxLength(MAX_ENTRIES)), []),
  env: v.optional(atMost(v.record(variableName, v.union([text, v.strictObject({ variable: variableName })]))), {}),
  cwd: v.optional(nonEmpty),
});

/** Throws `invalid_request`, naming the key. */
export function readSettings(
  settings: Readonly<Record<string, unknown>>,
):
  | { readonly transport: 'http'; readonly http: HttpSettings }
  | { readonly transport: 'stdio'; readonly stdio: StdioSettings } {
  if ((settings['url'] === undefined) === (settings['command'] === undefined)) {
    throw invalidRequest(
      'url',
      'expected either `url`, of a server that listens, or `command`, of one that is started',
    );
  }
  if (settings['command'] !== undefined) {
    const { cwd, ...stdio } = requireValid(Stdio, settings, 'invalid_request');
    return { transport: 'stdio', stdio: { ...stdio, cwd } };
  }
  const { url, headers: given, auth } = requireValid(Http, settings, 'invalid_request');
  const headers = requireHeaders(given);
  const reserved = Object.keys(headers).find((name) => RESERVED_HEADERS.test(name));
  if (reserved !== undefined) throw invalidRequest(`headers.${reserved}`, 'this header may not be set');
  if (auth !== undefined && headers['authorization'] !== undefined) {
    throw invalidRequest('headers.authorization', 'expected either `auth` or this header');
  }
  return { transport: 'http', http: { url, headers, tokenVariable: auth?.token_key ?? null } };
}
