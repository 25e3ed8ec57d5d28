// What a definition says of an MCP server, checked: where it listens, or how it is started. Nothing is looked up here.

import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import { requireValid } from '../protocol/issues.ts';

export interface HttpSettings {
  readonly url: string;
  /** Sent with every request, as they are. */
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

const MAX_ENTRIES = 256;
const MAX_TEXT_CHARS = 8_192;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
export const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** What the connection or the protocol says itself. */
const RESERVED_HEADERS =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|accept|accept-encoding|last-event-id|content-.*|proxy-.*|mcp-.*)$/i;

const text = v.pipe(
  v.string('expected a text'),
  v.check(
    (value) => value.length <= MAX_TEXT_CHARS && !value.includes('\0'),
    `expected at most ${MAX_TEXT_CHARS} characters`,
  ),
);
const nonEmpty = v.pipe(text, v.nonEmpty('expected a text that is not empty'));
const variable = v.pipe(
  v.string('expected the name of a variable'),
  v.regex(VARIABLE, 'expected the name of a variable'),
);
const atMost = <S extends v.GenericSchema<unknown, object>>(schema: S) =>
  v.pipe(
    schema,
    v.check((value) => Object.keys(value).length <= MAX_ENTRIES, `expected at most ${MAX_ENTRIES} entries`),
  );

const Headers = atMost(
  v.record(
    v.pipe(
      v.string(),
      v.check((name) => HEADER_NAME.test(name) && !RESERVED_HEADERS.test(name), 'not a header that may be set'),
    ),
    v.pipe(text, v.regex(HEADER_VALUE, 'expected characters that a header can hold')),
  ),
);
const Http = v.strictObject({
  url: nonEmpty,
  headers: v.optional(Headers, {}),
  auth: v.optional(v.strictObject({ type: v.literal('bearer', 'expected bearer'), token_key: variable })),
});
const Stdio = v.strictObject({
  command: nonEmpty,
  args: v.optional(v.pipe(v.array(text), v.maxLength(MAX_ENTRIES)), []),
  env: v.optional(atMost(v.record(variable, v.union([text, v.strictObject({ variable })]))), {}),
  cwd: v.optional(nonEmpty),
});

/** Throws `invalid_request`, naming the key. */
export function readSettings(
  settings: Readonly<Record<string, unknown>>,
):
  | { readonly transport: 'http'; readonly http: HttpSettings }
  | { readonly transport: 'stdio'; readonly stdio: StdioSettings } {
  if ((settings['url'] === undefined) === (settings['command'] === undefined)) {
    const message = 'expected either `url`, of a server that listens, or `command`, of one that is started';
    throw GreenroomError.of('invalid_request', { details: { issues: [{ path: 'url', message }] } });
  }
  if (settings['command'] !== undefined) {
    const { cwd, ...stdio } = requireValid(Stdio, settings, 'invalid_request');
    return { transport: 'stdio', stdio: { ...stdio, cwd } };
  }
  const { url, headers, auth } = requireValid(Http, settings, 'invalid_request');
  if (auth !== undefined && Object.keys(headers).some((name) => name.toLowerCase() === 'authorization')) {
    const message = 'expected either `auth` or this header';
    throw GreenroomError.of('invalid_request', { details: { issues: [{ path: 'headers.authorization', message }] } });
  }
  return { transport: 'http', http: { url, headers, tokenVariable: auth?.token_key ?? null } };
}
