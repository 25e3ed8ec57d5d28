// What every module may know about logging: the Logger contract, a logger that says nothing, and how to make an error
// or a bag of fields fit to be written. No secret, payload, stack or path of an error passes through here.
// Loaded in every host, so it loads nothing itself; the writing end is pino.ts.

import { MAX_ERROR_CHARS } from '../limits.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Fields come first and in snake_case; the message is a constant sentence, what varies is a field. */
export interface Logger {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

function ignore(): void {
  // Says nothing, by design.
}

/** The default when the runtime is embedded: an application's stderr is its own. */
export const silentLog: Logger = Object.freeze({ debug: ignore, info: ignore, warn: ignore, error: ignore });

/** A type, not an interface, so that it can be passed as fields. */
export type ErrorDescription = { error_name: string; error_code?: string; error_message: string };

/** Characters of an error's message that are kept. */
const MAX_MESSAGE_CHARS = 512;
/** Characters of an error's name or code that are kept. */
const MAX_LABEL_CHARS = 64;
/** Characters of a message that are searched for paths: long enough that none is cut in two within what is kept. */
const MAX_SEARCH_CHARS = 8 * MAX_MESSAGE_CHARS;
/** Levels of nested fields that are written. */
const MAX_FIELD_DEPTH = 4;
/** Members of one object or array that are written. */
const MAX_FIELD_MEMBERS = 64;

/** What was thrown, on one line, with its absolute paths replaced and without its stack. Never throws, whatever was thrown. */
export function describeError(thrown: unknown): ErrorDescription {
  try {
    if (!(thrown instanceof Error)) return { error_name: typeof thrown, error_message: describeNonError(thrown) };
    const code = (thrown as { code?: unknown }).code;
    const description = {
      error_name: toLabel(thrown.name) ?? 'Error',
      error_message: toMessage(String(thrown.message)),
    };
    const label = toLabel(code);
    return label === undefined ? description : { ...description, error_code: label };
  } catch {
    // A getter or a toString of the thrown object threw in turn.
    return { error_name: 'unknown', error_message: 'the error cannot be described' };
  }
}

/** An object that is no error may be anybody's data: only its type is said. */
function describeNonError(thrown: unknown): string {
  if (typeof thrown === 'object' && thrown !== null) return 'an object was thrown that is not an Error';
  return toMessage(String(thrown));
}

function toLabel(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const label = String(value)
    .replace(/[^\w.:-]/g, '')
    .slice(0, MAX_LABEL_CHARS);
  return label === '' ? undefined : label;
}

/** On one line, without absolute paths and without a stack, cut to a bound. */
export function toMessage(text: string): string {
  const [withoutStack = ''] = text.slice(0, MAX_SEARCH_CHARS).split(/\n\s+at /, 1);
  const line = hidePaths(withoutStack)
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .trim();
  return line.length <= MAX_MESSAGE_CHARS ? line : `${line.slice(0, MAX_MESSAGE_CHARS - 1)}…`;
}

/** In this order: a quoted path may hold spaces, so it must be found before the rules that end at one. */
const PATHS: readonly (readonly [RegExp, string])[] = [
  [/(['"`])(?:file:\/\/|[A-Za-z]:[\\/]|\\\\|\/)[^'"`\r\n]*\1/g, '$1<path>$1'],
  [/\bfile:\/\/[^\s'"`()<>]+/g, '<path>'],
  // Any URL without an authority: webpack:///, node:///.
  [/\b[A-Za-z][\w+.-]*:\/\/\/[^\s'"`()<>]+/g, '<path>'],
  [/(?<![A-Za-z0-9])[A-Za-z]:[\\/][^\s'"`()<>]*(?: [^\s'"`()<>]*\\[^\s'"`()<>]*)*/g, '<path>'],
  [/\\\\[^\s'"`()<>]+/g, '<path>'],
  // Not after a word, a dot or a bracket, where a slash belongs to a relative path or to a URL with a host. Words
  // behind it that hold a slash go with it: they are the rest of a path with spaces.
  [/(?<![\w/.@\]-])(?<!:(?=\/\/))\/[^\s'"`()<>]+(?: [^\s'"`()<>]*\/[^\s'"`()<>]*)*/g, '<path>'],
];

/** Without absolute paths. */
export function hidePaths(text: string): string {
  return PATHS.reduce((hidden, [pattern, replacement]) => hidden.replace(pattern, replacement), text);
}

// --- fields ---

const REDACTED = '[redacted]';
/** Last words of the keys whose values are never written: credentials, and what users send or keep. */
const SECRET_KEY =
  /(?:^|_)(?:token|password|passwd|secret|authorization|cookie|credentials?|api_key|apikey|private_key)$/;
const OPAQUE_KEYS = new Set(['payload', 'body', 'input', 'output', 'config', 'state', 'stack']);
/** Keys that the log writes itself; a field of that name would stand twice in the line and the later one would win. */
const RESERVED_KEYS = new Set(['level', 'time', 'message']);
/** Long enough to be a credential, so that a sentence about bearer tokens stays one. */
const BEARER = /\b(Bearer|Basic)\s+[\w.~+/=-]{16,}/gi;

/** A copy of the fields that may be written: secrets and payloads redacted, errors described, everything bounded. */
export function safeFields(fields: Record<string, unknown>): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields).slice(0, MAX_FIELD_MEMBERS)) {
    if (value instanceof Error && (key === 'error' || key === 'err')) Object.assign(safe, describeError(value));
    else safe[RESERVED_KEYS.has(key) ? `${key}_` : key] = safeValue(key, value, 1);
  }
  return safe;
}

/** Cuts what is too long for one line, and takes credentials out of it. */
export function safeText(text: string): string {
  const cut = text.length <= MAX_ERROR_CHARS ? text : `${text.slice(0, MAX_ERROR_CHARS)}…`;
  return cut.replace(BEARER, `$1 ${REDACTED}`);
}

function safeValue(key: string, value: unknown, depth: number): unknown {
  if (isSecret(key)) return REDACTED;
  if (typeof value === 'string') return safeText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return describeError(value);
  if (value instanceof URL || value instanceof Date) return safeText(String(value));
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (depth >= MAX_FIELD_DEPTH) return '[…]';
  if (Array.isArray(value)) return value.slice(0, MAX_FIELD_MEMBERS).map((item) => safeValue('', item, depth + 1));
  const members = Object.entries(value).slice(0, MAX_FIELD_MEMBERS);
  return Object.fromEntries(members.map(([name, inner]) => [name, safeValue(name, inner, depth + 1)]));
}

function isSecret(key: string): boolean {
  const snake = key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toLowerCase();
  return OPAQUE_KEYS.has(snake) || SECRET_KEY.test(snake);
}

/** True at 1, 2, 4, 8, …: for lines about what may happen again and again, with the count in them. */
export function isDoubled(count: number): boolean {
  return (count & (count - 1)) === 0;
}
