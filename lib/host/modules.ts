// An actor module as loaded: imported once per thread, and checked at the door, so that a mistake has a name.
// Both ends load the same module: the host to run it, the supervisor for its schemas and bounds.

import * as v from 'valibot';
import type { ActorDefinition } from '../actor.ts';
import { GreenroomError } from '../errors.ts';
import { describeError } from '../observe/log.ts';
import { isEngineId } from '../protocol/function-ids.ts';
import { DURABILITIES, ISOLATIONS, RESTART_POLICIES, STRATEGIES } from '../protocol/views.ts';

const schema = v.custom<v.GenericSchema>(
  (value) => typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'schema',
  'must be a valibot schema',
);
const callable = v.function('must be a function');

/** Without a colon, so that an id `kind::name` has one reading. */
const functionName = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9._-]{1,64}$/, 'names of functions are 1 to 64 characters of A-Z a-z 0-9 . _ -'),
);
const functionSchema = v.strictObject({
  description: v.optional(v.string()),
  input: schema,
  output: v.optional(schema),
  run: callable,
});

/** It travels as 32 bits. */
const MAX_STATE_VERSION = 2 ** 31 - 1;

/** As limits: the longest time that a timer can wait. */
const MAX_WHOLE = 2 ** 31 - 1;

const whole = (least: number) =>
  v.pipe(
    v.number('must be a whole number'),
    v.integer('must be a whole number'),
    v.minValue(least),
    v.maxValue(MAX_WHOLE),
  );

const definitionSchema = v.strictObject({
  kind: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._:-]{1,128}$/, 'must be 1 to 128 characters of A-Z a-z 0-9 . _ : -')),
  description: v.optional(v.string()),
  config: v.optional(schema),
  input: schema,
  output: v.optional(schema),
  mailbox: v.optional(v.strictObject({ capacity: v.optional(v.number()), maxBytes: v.optional(v.number()) })),
  isolation: v.optional(v.picklist(ISOLATIONS)),
  promote: v.optional(v.boolean()),
  restart: v.optional(
    v.strictObject({
      policy: v.optional(v.picklist(RESTART_POLICIES)),
      maxRestarts: v.optional(whole(0)),
      withinMs: v.optional(whole(1)),
    }),
  ),
  strategy: v.optional(v.picklist(STRATEGIES)),
  handlerTimeoutMs: v.optional(whole(0)),
  maxAttempts: v.optional(whole(1)),
  onInterrupt: v.optional(v.picklist(['unknown', 'retry'])),
  idleAfterMs: v.optional(whole(0)),
  durability: v.optional(v.picklist(DURABILITIES)),
  state: v.optional(callable),
  stateVersion: v.optional(
    v.pipe(
      v.number('must be a whole number'),
      v.integer('must be a whole number'),
      v.minValue(1, 'must be at least 1: without versions, leave it out'),
      v.maxValue(MAX_STATE_VERSION, `must be at most ${MAX_STATE_VERSION}`),
    ),
  ),
  migrate: v.optional(callable),
  receive: callable,
  functions: v.optional(v.record(functionName, functionSchema)),
  stopped: v.optional(callable),
  ended: v.optional(callable),
});

/** Imports a module and returns its default export. Rejects with `invalid_actor`, saying what is wrong and never where it lies. */
export async function loadActor(module: string): Promise<ActorDefinition> {
  let exports: { default?: unknown };
  try {
    exports = (await import(module)) as { default?: unknown };
  } catch (cause) {
    const { error_name, error_message } = describeError(cause);
    throw invalidActor(`it cannot be loaded: ${String(error_name)}: ${String(error_message)}`, cause);
  }
  if (exports.default === undefined) throw invalidActor('it has no default export');
  const result = v.safeParse(definitionSchema, exports.default);
  if (!result.success) {
    const [issue] = result.issues;
    throw invalidActor(`${v.getDotPath(issue) ?? 'the default export'}: ${issue.message}`);
  }
  const { kind, functions = {}, stateVersion, migrate } = result.output;
  if (migrate !== undefined && stateVersion === undefined)
    throw invalidActor('migrate: is never called without a stateVersion');
  requireSynchronous(result.output, '');
  for (const [name, { input, output }] of Object.entries(functions))
    requireSynchronous({ input, output }, `functions.${name}.`);
  if (Object.keys(functions).length > 0 && isEngineId(`${kind}::`))
    throw invalidActor("functions: ids that begin with engine:: are the runtime's; choose another kind");
  return exports.default as ActorDefinition;
}

function requireSynchronous(schemas: { input?: unknown; config?: unknown; output?: unknown }, under: string): void {
  for (const part of ['input', 'config', 'output'] as const) {
    if ((schemas[part] as { async?: boolean } | undefined)?.async === true)
      throw invalidActor(`${under}${part}: asynchronous schemas are not supported`);
  }
}

function invalidActor(problem: string, cause?: unknown): GreenroomError {
  return GreenroomError.of('invalid_actor', { message: problem, cause });
}
