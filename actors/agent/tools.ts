// Functions of the registry as tools of the model: which it may call, how they are called there, and what a call gives.

import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { ActorError } from '../../lib/actor.ts';
import type { FunctionView } from '../../lib/actor.ts';
import { MAX_TOOLS } from './conversation.ts';
import type { AgentContext, Message, ToolCall } from './conversation.ts';

/** What of a tool's result the model gets, and the transcript. */
const MAX_RESULT_CHARS = 32_768;
/** Functions per look at the registry: with all their schemas they fit into a message. */
const PAGE_ITEMS = 16;

const Arguments = v.custom<Record<string, unknown>>(
  (given) => typeof given === 'object' && given !== null && !Array.isArray(given),
);

export interface Tool {
  readonly functionId: string;
  /** Functions that take no object get theirs as `payload` in one: the API knows objects only. */
  readonly isWrapped: boolean;
  readonly declaration: object;
}

/** What the model may call now, by the name that it calls it by. Rejects with `too_many_tools`. */
export async function toolsOf(ctx: AgentContext): Promise<Map<string, Tool>> {
  const tools = new Map<string, Tool>();
  for (const pattern of ctx.config.tools) {
    const isPrefix = pattern.endsWith('*');
    const search = isPrefix ? pattern.slice(0, -1) : pattern;
    let after: string | undefined;
    do {
      // What is internal is only meant where it is named.
      const query = { search, includeInternal: !isPrefix, limit: PAGE_ITEMS, after };
      const { functions, nextAfter } = await untilCancelled(ctx, ctx.functions(query));
      for (const found of functions) {
        const { functionId } = found;
        const isMeant = isPrefix ? functionId.startsWith(search) : functionId === search;
        if (isMeant) tools.set(toolName(functionId), toTool(found));
      }
      if (tools.size > MAX_TOOLS)
        throw new ActorError('too_many_tools', `The patterns fit more than ${MAX_TOOLS} functions.`);
      after = nextAfter ?? undefined;
    } while (after !== undefined);
  }
  return tools;
}

function toTool({ functionId, description, requestFormat }: FunctionView): Tool {
  const format = requestFormat as { type?: unknown } | boolean | null;
  const isAny = format === null || typeof format === 'boolean';
  const isWrapped = !isAny && format.type !== 'object';
  const parameters = isAny
    ? { type: 'object' }
    : isWrapped
      ? { type: 'object', properties: { payload: format }, required: ['payload'] }
      : format;
  const name = toolName(functionId);
  return {
    functionId,
    isWrapped,
    declaration: { type: 'function', function: { name, description: description ?? functionId, parameters } },
  };
}

/** `::` becomes `__`. An id that this cannot be undone of, or that is no name for the API, ends with a part of its hash. */
function toolName(functionId: string): string {
  const name = functionId.replaceAll('::', '__');
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name) && name.replaceAll('__', '::') === functionId) return name;
  const hash = createHash('sha256').update(functionId).digest('hex').slice(0, 12);
  return `${name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 51)}_${hash}`;
}

/** What it gives, or why it gives nothing: both are for the model. Rejects only as the input was cancelled. */
export async function callTool(ctx: AgentContext, tools: Map<string, Tool>, call: ToolCall): Promise<Message> {
  const { name, arguments: given } = call.function;
  const tool = tools.get(name);
  const common = { id: call.id, name, function_id: tool?.functionId ?? null };
  ctx.emit({ tool_call: { ...common, arguments: shorten(given) } });
  let result: unknown;
  try {
    result = await runTool(ctx, tool, given);
  } catch (thrown) {
    ctx.checkpoint();
    const { code = 'internal', message = '', details } = thrown as Partial<ActorError>;
    result = { error: { code, message, ...(details !== undefined && { details }) } };
  }
  const content = shorten(JSON.stringify(result));
  ctx.emit({ tool_result: { ...common, content } });
  return { role: 'tool', tool_call_id: call.id, content };
}

async function runTool(ctx: AgentContext, tool: Tool | undefined, given: string): Promise<unknown> {
  if (tool === undefined) throw new ActorError('tool_not_allowed', 'There is no such tool.');
  const payload = argumentsOf(given);
  const { timeout_ms: timeoutMs } = ctx.config;
  ctx.checkpoint();
  return untilCancelled(ctx, ctx.invoke(tool.functionId, tool.isWrapped ? payload['payload'] : payload, { timeoutMs }));
}

/** Throws `invalid_arguments`. */
function argumentsOf(given: string): Record<string, unknown> {
  try {
    return v.parse(Arguments, given === '' ? {} : JSON.parse(given, refusePrototype));
  } catch {
    // The model knows what it has sent.
    throw new ActorError('invalid_arguments', 'The arguments are not a JSON object.');
  }
}

/** As of any caller: what merges it must not get a prototype from it. */
function refusePrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new ActorError('invalid_arguments', 'There is a __proto__ in the arguments.');
  return value;
}

function shorten(text: string): string {
  return text.length <= MAX_RESULT_CHARS ? text : `${text.slice(0, MAX_RESULT_CHARS)}… (cut, of ${text.length})`;
}

/** A call goes on when nobody waits for it any more; a cancelled input does not. */
function untilCancelled<T>(ctx: AgentContext, call: Promise<T>): Promise<T> {
  const { signal } = ctx;
  return new Promise((resolve, reject) => {
    const cancel = (): void => reject(signal.reason as Error);
    if (signal.aborted) cancel();
    signal.addEventListener('abort', cancel, { once: true });
    call.then(resolve, reject).finally(() => signal.removeEventListener('abort', cancel));
  });
}
