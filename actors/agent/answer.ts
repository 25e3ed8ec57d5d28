// One answer of the model, put together from the events of its stream: text and calls of tools arrive in pieces of any size.

import * as v from 'valibot';
import type { ToolCall } from './conversation.ts';
import { modelError } from './failures.ts';

/** Calls of tools in one answer. */
const MAX_CALLS = 32;

const text = v.nullish(v.string(), '');
const Chunk = v.object({
  // Some report what goes wrong in the middle of a stream.
  error: v.nullish(v.unknown()),
  choices: v.nullish(
    v.array(
      v.object({
        delta: v.nullish(
          v.object({
            content: text,
            tool_calls: v.nullish(
              v.array(
                v.object({
                  index: v.nullish(v.number()),
                  id: text,
                  function: v.nullish(v.object({ name: text, arguments: text })),
                }),
              ),
              [],
            ),
          }),
        ),
        finish_reason: text,
      }),
    ),
    [],
  ),
});

export class Answer {
  text = '';
  /** Empty until the model says that it is through. */
  finishReason = '';
  isDone = false;
  /** By the index that the model gives them, in which their parts arrive. */
  readonly #calls = new Map<number, { id: string; name: string; arguments: string }>();

  /** Takes one event, and returns the text in it. Throws `model_error`. */
  read(data: string): string {
    if (data === '[DONE]') this.isDone = true;
    if (this.isDone) return '';
    const { error, choices } = chunkOf(data);
    if (error !== null && error !== undefined) throw modelError('reported');
    const [choice] = choices;
    if (choice === undefined) return '';
    if (choice.finish_reason !== '') this.finishReason = choice.finish_reason;
    const { content = '', tool_calls: parts = [] } = choice.delta ?? {};
    for (const part of parts) {
      // Servers that give no index send each call in one piece.
      const index = part.index ?? this.#calls.size;
      const call = this.#calls.get(index) ?? { id: '', name: '', arguments: '' };
      this.#calls.set(index, call);
      if (this.#calls.size > MAX_CALLS) throw modelError('too_many_calls');
      call.id ||= part.id;
      call.name += part.function?.name ?? '';
      call.arguments += part.function?.arguments ?? '';
    }
    this.text += content;
    return content;
  }

  calls(step: number): ToolCall[] {
    return [...this.#calls.values()].map(({ id, ...called }, index) => ({
      id: id === '' ? `call_${step}_${index}` : id,
      type: 'function',
      function: called,
    }));
  }
}

function chunkOf(data: string): v.InferOutput<typeof Chunk> {
  try {
    return v.parse(Chunk, JSON.parse(data));
  } catch {
    // What it was is not told: it may quote the conversation.
    throw modelError('malformed');
  }
}
