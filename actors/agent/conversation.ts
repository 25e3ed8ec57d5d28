// What an agent is created with, what its conversation consists of, and how much of it is kept.

import * as v from 'valibot';
import type { ActorContext } from '../../lib/actor.ts';

/** As many as the API takes. */
export const MAX_TOOLS = 128;

const variable = v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/));
const whole = (least: number, most: number) => v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most));

export const AgentConfig = v.strictObject({
  /** Without `/chat/completions`. One of those in AGENT_BASE_URLS. */
  base_url: v.pipe(v.string(), v.url(), v.regex(/^https?:/i)),
  model: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  /** Name of the environment variable that holds the key. One of those in AGENT_KEY_VARIABLES. Default: no key is sent. */
  key_variable: v.optional(variable),
  system: v.optional(v.string()),
  /** Ids of functions that the model may call, or beginnings of ids with a `*` after them. Default: none. */
  tools: v.optional(v.pipe(v.array(v.pipe(v.string(), v.regex(/^[^*]{0,256}\*?$/))), v.maxLength(MAX_TOOLS)), []),
  /** Answers of the model per input, those that call tools included. */
  max_steps: v.optional(whole(1, 64), 8),
  /** Tokens, as `tokensOf` estimates them, of what is sent and kept of the conversation. */
  token_budget: v.optional(whole(1, 1_000_000), 16_384),
  temperature: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(2))),
  /** For one answer of the model, from the request to the end of its stream; and for one call of a tool. */
  timeout_ms: v.optional(whole(1, 3_600_000), 120_000),
});
export type AgentConfig = v.InferOutput<typeof AgentConfig>;

export interface ToolCall {
  id: string;
  type: 'function';
  function: { name: string; arguments: string };
}

/** As the API has them. */
export type Message =
  | { role: 'user'; content: string }
  | { role: 'assistant'; content: string | null; tool_calls?: ToolCall[] }
  | { role: 'tool'; tool_call_id: string; content: string };

export type AgentContext = ActorContext<AgentConfig, { messages: Message[] }>;

/** An estimate: a quarter of the bytes of each message in JSON. Real ones are counted by the model, each in its own way. */
export function tokensOf(parts: readonly object[]): number {
  return parts.reduce((sum, part) => sum + Math.ceil(Buffer.byteLength(JSON.stringify(part)) / 4), 0);
}

/** Leaves out the oldest turns. A turn begins with what the user says, and calls of tools never part from their results; the newest stays. */
export function trim(messages: readonly Message[], budget: number): Message[] {
  let start = messages.length;
  let tokens = 0;
  for (let at = messages.length - 1; at >= 0; at--) {
    tokens += tokensOf([messages[at] as Message]);
    const isNewest = start === messages.length;
    if (tokens > budget && !isNewest) break;
    // What came before the first of them is no turn of its own.
    if (messages[at]?.role === 'user' || at === 0) start = at;
  }
  return messages.slice(start);
}
