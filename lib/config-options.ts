// Which options there are, and what each may be: the table behind `--help` and the one strictObject behind config.ts.
// Every message says what was expected and shows what was given together with its type. How limits fit together is not
// asked here but of resolveLimits.

import { isIPv6 } from 'node:net';
import { availableParallelism } from 'node:os';
import * as v from 'valibot';
import { credentialSchema, gatewaySchema } from './access/options-schema.ts';
import { egressConfigSchema } from './egress/options-schema.ts';
import {
  DEFAULT_LIMITS,
  FRAME_MARGIN_BYTES,
  MAX_DISPLAY_NAME_CHARS,
  MAX_WAIT_MS,
  MAX_WORKER_ID_CHARS,
  leastOf,
} from './limits.ts';
import type { Limits } from './limits.ts';
import { LOG_LEVELS } from './observe/log.ts';
import { isObject } from './protocol/payload.ts';
import type { HttpFunctionDocument } from './protocol/http-function.ts';
import type { SourceRequest } from './protocol/source-request.ts';
import { VARIABLE_NAME } from './protocol/variable-name.ts';
import { isWorkerId } from './protocol/worker-ids.ts';

const DEFAULTS = Object.freeze({ bind: '127.0.0.1:38800', dataDir: '.greenroom', drainMs: 10_000 });
/** More threads than this by default would cost more memory than a small deployment expects. */
const MAX_DEFAULT_HOSTS = 8;
/** Characters that an error shows of a value. */
const MAX_SHOWN_CHARS = 80;
const BIND = 'HOST:PORT with a port from 0 to 65535 and IPv6 in brackets';

export interface OptionSpec {
  /** camelCase: the key in the file; the flag and the variable follow from it. */
  readonly key: string;
  /** A flag is given without a value, and is `true` or `false` elsewhere. */
  readonly kind: 'text' | 'list' | 'number' | 'flag';
  /** Stands for the value in `--help`. */
  readonly argument: string;
  readonly help: string;
}

const option = (key: string, kind: OptionSpec['kind'], argument: string, help: string): OptionSpec => ({
  key,
  kind,
  argument,
  help,
});

/** Limits whose default follows from another. */
const DERIVED: Partial<Record<string, string>> = {
  maxFrameBytes: `twice --max-message-bytes, at least ${FRAME_MARGIN_BYTES} above it`,
};

/** Every option but `config`, in the order of `--help`. The limits come from DEFAULT_LIMITS, so that they are listed once. */
export const OPTIONS: readonly OptionSpec[] = [
  option('bind', 'text', 'HOST:PORT', `where to listen; IPv6 in brackets, port 0 for any (default ${DEFAULTS.bind})`),
  option('runtimeId', 'text', 'ID', 'id of this runtime (default: that of the store)'),
  option('displayName', 'text', 'NAME', 'name for people'),
  option('store', 'text', 'STORE', 'where workers are kept: memory, or lmdb, a file in the data dir (default memory)'),
  option('dataDir', 'text', 'DIR', `holds the store, and the token that is made (default ${DEFAULTS.dataDir})`),
  option(
    'actors',
    'list',
    'PATH',
    'a folder of actor modules, or one module; repeatable (comma separated in the environment)',
  ),
  option(
    'hosts',
    'number',
    'N',
    'threads; 0 runs workers on the main thread (default: cores - 1, at least 1, at most 8)',
  ),
  option('tokenFile', 'text', 'FILE', 'the file that holds the bearer token (default: one is made in the data dir)'),
  option('logLevel', 'text', 'LEVEL', `${LOG_LEVELS.join(', ')} (default info)`),
  option('drainMs', 'number', 'N', `how long a drain may take after SIGTERM or SIGINT (default ${DEFAULTS.drainMs})`),
  option('gateway', 'text', 'on|off', 'whether remote workers may connect; the file may say more of it (default on)'),
  option(
    'allowStdioSources',
    'flag',
    '',
    'whether sources that are made over REST may start processes (default false)',
  ),
  ...Object.entries<number>({ ...DEFAULT_LIMITS }).map(([key, value]) =>
    option(key, 'number', 'N', `limit (default ${DERIVED[key] ?? value})`),
  ),
];

export const toFlag = (key: string): string => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
export const toVariable = (key: string): string => `GREENROOM_${key.replace(/[A-Z]/g, '_$&').toUpperCase()}`;

// --- the schema ---

type Message = (issue: v.BaseIssue<unknown>) => string;

/** Says what was given, and its type, because "3" and 3 look alike in a shell. */
const must =
  (expected: string): Message =>
  (issue) =>
    `must be ${expected}, not ${show(issue.input)} (${typeOf(issue.input)})`;

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= MAX_SHOWN_CHARS ? text : `${text.slice(0, MAX_SHOWN_CHARS)}…`;
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

const text = (expected: string, isValid: (value: string) => boolean) =>
  v.pipe(v.string(must(expected)), v.check(isValid, must(expected)));

function whole(least: number, most = Number.MAX_SAFE_INTEGER) {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  const isValid = (value: number) => Number.isSafeInteger(value) && value >= least && value <= most;
  return v.pipe(v.number(must(`a whole number ${range}`)), v.check(isValid, must(`a whole number ${range}`)));
}

const nonEmpty = text('a text that is not empty', (value) => value !== '');
const bind = v.pipe(
  v.string(must(BIND)),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const parts = splitBind(dataset.value);
    if (parts !== null) return parts;
    addIssue({ message: must(BIND) });
    return NEVER;
  }),
);
const store = v.picklist(['memory', 'lmdb'], must('memory or lmdb'));

const GATEWAY = 'on or off, or an object in the file';
/** Does not show what was given: it may be a token, put where only its place belongs. */
const place = (expected: string, isValid: (value: string) => boolean) =>
  v.optional(v.pipe(v.string(`must be ${expected}`), v.check(isValid, `must be ${expected}`)));
const credential = v.pipe(
  credentialSchema({
    tokenFile: place('the path of a file', (value) => value !== ''),
    tokenVariable: place('the name of an environment variable', (value) => VARIABLE_NAME.test(value)),
  }),
  v.check(
    ({ tokenFile, tokenVariable }) => (tokenFile === undefined) !== (tokenVariable === undefined),
    'must have either a tokenFile or a tokenVariable',
  ),
);
const gatewayObject = gatewaySchema(credential);
const gatewayWord = v.pipe(
  v.picklist(['on', 'off'], must(GATEWAY)),
  v.transform((word): v.InferOutput<typeof gatewayObject> | null => (word === 'on' ? {} : null)),
);
const gateway = v.lazy((value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? gatewayObject : gatewayWord,
);

export const configSchema = v.strictObject({
  bind: v.optional(bind, DEFAULTS.bind),
  runtimeId: v.optional(text(`1 to ${MAX_WORKER_ID_CHARS} of A-Z a-z 0-9 . _ : -`, isWorkerId)),
  displayName: v.optional(
    text(
      `1 to ${MAX_DISPLAY_NAME_CHARS} characters`,
      (value) => value !== '' && value.length <= MAX_DISPLAY_NAME_CHARS,
    ),
  ),
  store: v.optional(store, 'memory'),
  dataDir: v.optional(nonEmpty, DEFAULTS.dataDir),
  actors: v.optional(v.array(nonEmpty, must('a list of paths')), []),
  hosts: v.optional(whole(0), () => Math.min(MAX_DEFAULT_HOSTS, Math.max(1, availableParallelism() - 1))),
  tokenFile: v.optional(nonEmpty),
  logLevel: v.optional(v.picklist(LOG_LEVELS, must(`one of ${LOG_LEVELS.join(', ')}`)), 'info'),
  drainMs: v.optional(whole(0, MAX_WAIT_MS), DEFAULTS.drainMs),
  gateway: v.optional(gateway, 'on'),
  // An object, so it is in the file only.
  http: v.optional(egressConfigSchema, {}),
  // What each must be, its type knows, and the runtime asks it.
  sources: v.optional(v.array(v.custom<SourceRequest>(isObject, 'must be an object'), must('a list of objects')), []),
  functions: v.optional(
    v.custom<Record<string, HttpFunctionDocument>>(isObject, 'must be an object of functions by their ids'),
    {},
  ),
  allowStdioSources: v.optional(v.boolean(must('true or false')), false),
  ...limitEntries(),
});

/** The optional entries of the limits; what they must be to each other is asked of resolveLimits afterwards. */
function limitEntries() {
  const names = Object.keys(DEFAULT_LIMITS) as (keyof Limits)[];
  return Object.fromEntries(names.map((name) => [name, v.optional(whole(leastOf(name)))])) as Record<
    keyof Limits,
    v.OptionalSchema<ReturnType<typeof whole>, undefined>
  >;
}

/** The parts of HOST:PORT, or null if it is not that. */
function splitBind(value: string): { host: string; port: number } | null {
  const match = /^(?:\[([^\]]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(value);
  if (match === null) return null;
  const [, ipv6, name, digits] = match;
  const port = Number(digits);
  if (port > 65_535 || (ipv6 !== undefined && !isIPv6(ipv6))) return null;
  return { host: ipv6 ?? name ?? '', port };
}
