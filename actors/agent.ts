// A conversation with a language model behind any OpenAI-compatible endpoint. The answer is streamed into the transcript, the model may call
// functions of the registry as its tools, and the conversation is the worker's state: the runtime saves it after each input, and takes
// it back when an input fails or is cancelled, so that nothing half is ever in it. Everything that arrives from the model is bounded.

import * as v from 'valibot';
import { ActorError, defineActor } from '../lib/actor.ts';
import { AgentConfig, tokensOf, trim } from './agent/conversation.ts';
import type { Message } from './agent/conversation.ts';
import { Deltas } from './agent/deltas.ts';
import { askModel, endpointOf, requestOf } from './agent/endpoint.ts';
import { callTool, toolsOf } from './agent/tools.ts';

const Said = v.strictObject({ role: v.picklist(['user', 'assistant']), content: v.string() });
const Input = v.union([
  v.strictObject({ text: v.pipe(v.string(), v.minLength(1)) }),
  v.strictObject({
    messages: v.pipe(
      v.array(Said),
      v.check((messages) => messages.at(-1)?.role === 'user', 'the last message must be of the user'),
    ),
  }),
]);

export default defineActor({
  kind: 'agent',
  description: 'A conversation with a language model that may call functions as its tools.',
  config: AgentConfig,
  input: Input,
  output: v.strictObject({ text: v.string(), steps: v.number(), finish_reason: v.string() }),
  state: (): { messages: Message[] } => ({ messages: [] }),
  receive: async (input, ctx) => {
    const { config } = ctx;
    const endpoint = endpointOf(config);
    const tools = await toolsOf(ctx);
    const declared = [...tools.values()].map(({ declaration }) => declaration);
    const fixedTokens = tokensOf([{ role: 'system', content: config.system ?? '' }, ...declared]);
    const deltas = new Deltas(ctx);
    const said = 'text' in input ? [{ role: 'user' as const, content: input.text }] : input.messages;
    let messages: Message[] = [...ctx.state.messages, ...said];
    try {
      for (let step = 1; step <= config.max_steps; step++) {
        messages = trim(messages, config.token_budget - fixedTokens);
        const answer = await askModel(ctx, endpoint, requestOf(config, messages, declared), deltas);
        const calls = answer.calls(step);
        messages.push({ role: 'assistant', content: answer.text, ...(calls.length > 0 && { tool_calls: calls }) });
        if (calls.length === 0) {
          ctx.state.messages = trim(messages, config.token_budget - fixedTokens);
          return { text: answer.text, steps: step, finish_reason: answer.finishReason };
        }
        // The model would not see what they give.
        if (step === config.max_steps) break;
        // One after the other, as the model has put them: what one changes the next may look at.
        for (const call of calls) messages.push(await callTool(ctx, tools, call));
      }
    } finally {
      deltas.close();
    }
    throw new ActorError('step_limit', `No answer after ${config.max_steps} steps.`, {
      details: { max_steps: config.max_steps },
    });
  },
});
