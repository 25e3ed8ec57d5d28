// Everything an operator can set, from flags, environment and a file, as one frozen Config.
// A flag beats the environment, the environment beats the file; unknown keys are refused by name, and every error names
// the option in the form in which it was given. Nothing below the CLI reads process.env: it is passed in.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { configSchema, OPTIONS, toFlag, toVariable } from './config-options.ts';
import type { OptionSpec } from './config-options.ts';
import { asGreenroomError, GreenroomError } from './errors.ts';
import { placeOf, problemOf, requireNarrower } from './access/options-schema.ts';
import type { CredentialRights, GatewayOptions } from './access/options.ts';
import { compilePatterns } from './access/patterns.ts';
import type { EgressOptions } from './egress/egress.ts';
import { DEFAULT_LIMITS, resolveLimits } from './limits.ts';
import type { Limits } from './limits.ts';
import { describeError } from './observe/log.ts';
import type { LogLevel } from './observe/log.ts';
import type { HttpFunctionDocument } from './protocol/http-function.ts';
import type { SourceRequest } from './protocol/source-request.ts';

export interface Config {
  /** Where the HTTP server listens; port 0 lets the system choose. */
  readonly bind: { readonly host: string; readonly port: number };
  /** Undefined: the runtime makes one. */
  readonly runtimeId: string | undefined;
  readonly displayName: string | undefined;
  /** `lmdb` keeps everything in dataDir. */
  readonly store: 'memory' | 'lmdb';
  /** Absolute. Holds the store, and the token that was made if none was given. */
  readonly dataDir: string;
  /** Absolute paths of modules, or of folders of modules. */
  readonly actors: readonly string[];
  /** Threads; 0 runs the workers on the main thread. */
  readonly hosts: number;
  /** Absolute. Undefined: a token is made and kept in dataDir. */
  readonly tokenFile: string | undefined;
  readonly logLevel: LogLevel;
  /** How long a drain may take after the first signal. */
  readonly drainMs: number;
  readonly limits: Limits;
  /** Null: off. Holds no tokens, only where they are kept. */
  readonly gateway: GatewayConfig | null;
  /** Whether sources that are made over REST may start processes. */
  readonly allowStdioSources: boolean;
  /** Where requests may go, and with which secrets. */
  readonly http: HttpConfig;
  /** Made at every start; see docs/sources.md. */
  readonly sources: readonly SourceRequest[];
  /** Functions over HTTP by their ids. What each says is checked when it is registered. */
  readonly functions: Readonly<Record<string, HttpFunctionDocument>>;
}

export interface HttpConfig extends Omit<EgressOptions, 'ca' | 'environment'> {
  /** Absolute. */
  readonly caFile?: string | undefined;
}

export type GatewayConfig = GatewayOptions<CredentialConfig>;

/** One of the two says where the token is. */
export interface CredentialConfig extends CredentialRights {
  /** Absolute. */
  readonly tokenFile?: string | undefined;
  /** The name of an environment variable. */
  readonly tokenVariable?: string | undefined;
}

export interface ConfigSources {
  /** As commander gives them: camelCase keys; texts, or lists of texts for repeatable flags. `config` names the file. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What relative paths start from. */
  readonly cwd: string;
}

/** One value, and what to call it when it is wrong. */
interface Given {
  readonly value: unknown;
  readonly label: string;
}

/** Throws `invalid_option`, on one line, with one issue per option in `details.issues`. */
export function readConfig({ flags, environment, cwd }: ConfigSources): Config {
  const file = new Map(fromFile(flags, environment, cwd));
  const given = new Map([...file, ...fromEnvironment(environment), ...fromFlags(flags)]);
  // `on` says no more than an object in the file, which it leaves as it is; `off` beats it.
  const inFile = file.get('gateway');
  if (typeof inFile?.value === 'object' && given.get('gateway')?.value === 'on') given.set('gateway', inFile);
  const result = v.safeParse(configSchema, Object.fromEntries([...given].map(([key, { value }]) => [key, value])));
  if (!result.success) throw refusal(result.issues, given);
  const {
    bind,
    runtimeId,
    displayName,
    store,
    dataDir,
    actors,
    hosts,
    tokenFile,
    logLevel,
    drainMs,
    gateway,
    http,
    sources,
    functions,
    allowStdioSources,
    ...rest
  } = result.output;
  const limits = requireLimits(rest, given);
  return Object.freeze({
    bind: Object.freeze(bind),
    runtimeId,
    displayName,
    store,
    dataDir: resolve(cwd, dataDir),
    actors: Object.freeze(actors.map((path) => resolve(cwd, path))),
    hosts,
    tokenFile: tokenFile === undefined ? undefined : resolve(cwd, tokenFile),
    logLevel,
    drainMs,
    limits,
    sources: Object.freeze(sources),
    allowStdioSources,
    gateway: gateway === null ? null : requireGatewayConfig(gateway, { limits, given, cwd }),
    http: Object.freeze({ ...http, ...(http.caFile !== undefined && { caFile: resolve(cwd, http.caFile) }) }),
    functions: Object.freeze(functions),
  });
}

/**
 * Variables that look like ours and are not. To be warned about, not refused: Kubernetes sets GREENROOM_PORT and more
 * for a service named greenroom, and a Backend on the same machine may have variables of its own.
 */
export function unknownVariables(
  environment: ConfigSources['environment'],
  { gateway, http }: Pick<Config, 'gateway' | 'http'>,
): string[] {
  const tokens = gateway?.credentials?.map(({ tokenVariable }) => tokenVariable) ?? [];
  const known = new Set([...OPTIONS.map(({ key }) => toVariable(key)), toVariable('config'), ...tokens]);
  const isSecret = compilePatterns(http.variables ?? []);
  return Object.keys(environment).filter(
    (name) => name.startsWith('GREENROOM_') && !known.has(name) && !isSecret(name),
  );
}

// --- sources ---

function fromFlags(flags: ConfigSources['flags']): [string, Given][] {
  return OPTIONS.filter(({ key }) => flags[key] !== undefined).map(({ key, kind }) => {
    const value = flags[key];
    return [key, { value: kind === 'number' ? toNumber(value) : value, label: toFlag(key) }];
  });
}

/** An empty variable counts as not set: that is how compose files and shells leave one out. */
function fromEnvironment(environment: ConfigSources['environment']): [string, Given][] {
  return OPTIONS.flatMap(({ key, kind }): [string, Given][] => {
    const label = toVariable(key);
    const text = environment[label];
    if (text === undefined || text === '') return [];
    return [[key, { value: readText(text, kind), label }]];
  });
}

function fromFile(
  flags: ConfigSources['flags'],
  environment: ConfigSources['environment'],
  cwd: string,
): [string, Given][] {
  const isFlag = typeof flags['config'] === 'string';
  const path = isFlag ? flags['config'] : environment[toVariable('config')];
  if (typeof path !== 'string' || (path === '' && !isFlag)) return [];
  const label = isFlag ? toFlag('config') : toVariable('config');
  let values: unknown;
  try {
    values = JSON.parse(readFileSync(resolve(cwd, path), 'utf8'));
  } catch (cause) {
    const problem =
      cause instanceof SyntaxError
        ? 'is not valid JSON'
        : `cannot be read (${describeError(cause).error_code ?? 'unknown'})`;
    throw GreenroomError.of('invalid_option', { message: `${label}: ${path} ${problem}`, cause });
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw GreenroomError.of('invalid_option', { message: `${label}: ${path} must hold a JSON object` });
  }
  return Object.entries<unknown>({ ...values }).map(([key, value]) => [key, { value, label: `${key} in ${path}` }]);
}

function readText(text: string, kind: OptionSpec['kind']): unknown {
  switch (kind) {
    case 'number':
      return toNumber(text);
    case 'list':
      return text.split(',');
    case 'flag':
      // Anything else stays as it is, for the schema to show and refuse.
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'text':
      return text;
  }
}

/** Decimal digits become a number; anything else stays as it is, for the schema to show and refuse. */
function toNumber(value: unknown): unknown {
  return typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
}

// --- errors ---

/** The first issue of each option: what follows from it adds nothing. */
function refusal(issues: readonly v.BaseIssue<unknown>[], given: ReadonlyMap<string, Given>): GreenroomError {
  const problems = new Map<string, { path: string; message: string }>();
  for (const issue of issues) {
    const key = String(issue.path?.[0]?.key);
    if (problems.has(key)) continue;
    const path = placeOf(issue).slice(1);
    // Only the file holds values with places inside, and its labels begin with the key.
    const label = labelOf(key, given).replace(key, () => path);
    problems.set(key, { path, message: `${label} ${problemOf(issue)}` });
  }
  return GreenroomError.of('invalid_option', {
    message: [...problems.values()].map(({ message }) => message).join('; '),
    details: { issues: [...problems.values()] },
  });
}

/** How two limits fit together is known in one place, which calls them by their keys. */
function requireLimits(
  values: Partial<Record<keyof Limits, number | undefined>>,
  given: ReadonlyMap<string, Given>,
): Limits {
  try {
    return resolveLimits(Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)));
  } catch (thrown) {
    const error = asGreenroomError(thrown);
    const message = error.message.replace(/\b[a-z]+[A-Z]\w*/g, (word) =>
      Object.hasOwn(DEFAULT_LIMITS, word) ? labelOf(word, given) : word,
    );
    throw GreenroomError.of('invalid_option', { message, cause: thrown });
  }
}

function requireGatewayConfig(
  gateway: GatewayConfig,
  { limits, given, cwd }: { limits: Limits; given: ReadonlyMap<string, Given>; cwd: string },
): GatewayConfig {
  const { credentials, ...others } = gateway;
  if (credentials === undefined) return Object.freeze(others);
  requireNarrower(credentials, limits, (limit) => labelOf(limit, given));
  const absolute = credentials.map((credential) => {
    const { tokenFile } = credential;
    return tokenFile === undefined ? credential : { ...credential, tokenFile: resolve(cwd, tokenFile) };
  });
  return Object.freeze({ ...others, credentials: absolute });
}

function labelOf(key: string, given: ReadonlyMap<string, Given>): string {
  return given.get(key)?.label ?? toFlag(key);
}
