// The calls of tools that are under way at one server: how many there may be, and what ends each. Whatever ends the wait of a caller, the
// server is told that nobody waits any more.

import type { CallToolResult, Client, Tool } from '@modelcontextprotocol/client';
import { GreenroomError } from '../errors.ts';
import type { CallProgress, FunctionCall } from '../functions/function.ts';
import { MAX_REASON_CHARS } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { invocationTooLarge, payloadBytes } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { ANSWER_SLACK_MS, IN_FLIGHT_MESSAGES, MAX_TIMER_MS } from './bounds.ts';
import { CALL_HEADER } from './http.ts';
import type { OpenCall } from './http.ts';
import { argumentsOf, outputOf } from './results.ts';

export class Calls {
  /** By what their requests have in CALL_HEADER. */
  readonly open = new Map<string, OpenCall>();
  readonly #limits: Limits;
  readonly #isHttp: boolean;
  #last = 0;
  #inFlight = 0;
  #inFlightBytes = 0;

  constructor(limits: Limits, isHttp: boolean) {
    this.#limits = limits;
    this.#isHttp = isHttp;
  }

  /** Rejects with `worker_busy` or `invocation_failed_payload_too_large`, with what `argumentsOf` or `outputOf` do, or with what the library throws. */
  async make(client: Client, tool: Tool, call: FunctionCall): Promise<Payload> {
    const { maxMessageBytes, maxCallsInFlight } = this.#limits;
    const bytes = payloadBytes(call.payload);
    if (bytes > maxMessageBytes) throw invocationTooLarge(bytes, maxMessageBytes);
    if (this.#inFlight >= maxCallsInFlight || this.#inFlightBytes + bytes > IN_FLIGHT_MESSAGES * maxMessageBytes) {
      throw GreenroomError.of('worker_busy', { message: 'The MCP server has as many calls under way as it may.' });
    }
    this.#inFlight++;
    this.#inFlightBytes += bytes;
    try {
      const output = outputOf(await this.#ask(client, tool, call));
      const outputBytes = payloadBytes(output);
      if (outputBytes > maxMessageBytes) throw invocationTooLarge(outputBytes, maxMessageBytes);
      return output;
    } finally {
      this.#inFlight--;
      this.#inFlightBytes -= bytes;
    }
  }

  async #ask(client: Client, tool: Tool, call: FunctionCall): Promise<CallToolResult> {
    const { signal, onProgress, timeoutMs } = call;
    const request = { name: tool.name, arguments: await argumentsOf(call.payload) };
    if (signal?.aborted === true) throw GreenroomError.of('cancelled');
    const id = String(++this.#last);
    const ending = new AbortController();
    const settled = new AbortController();
    const timers: NodeJS.Timeout[] = [];
    let reason: GreenroomError | null = null;
    const end = (error: GreenroomError): void => {
      reason ??= error;
      ending.abort();
    };
    const onAbort = (): void => end(GreenroomError.of('cancelled'));
    signal?.addEventListener('abort', onAbort, { once: true });
    timers.push(setTimeout(() => end(GreenroomError.of('timeout')), Math.min(timeoutMs, MAX_TIMER_MS)));
    const answerEnded = (): void =>
      void timers.push(setTimeout(() => end(GreenroomError.of('http_response_failed')), ANSWER_SLACK_MS));
    this.open.set(id, { settled: settled.signal, fail: end, answerEnded });
    try {
      const result = await client.callTool(request, {
        signal: ending.signal,
        // Its own clock is not needed; without one it would be a minute.
        timeout: MAX_TIMER_MS,
        headers: { [CALL_HEADER]: id },
        toolDefinition: tool,
        ...(onProgress && { onprogress: (said) => onProgress(boundedProgress(said)) }),
      });
      // What is left of the answer is its end, and a connection that is cut there could not be used again.
      setTimeout(() => settled.abort(), this.#isHttp ? ANSWER_SLACK_MS : 0).unref();
      return result;
    } catch (thrown) {
      settled.abort();
      throw reason ?? thrown;
    } finally {
      this.open.delete(id);
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }
}

function boundedProgress({ progress, total, message }: CallProgress): CallProgress {
  return { progress, total, message: message?.slice(0, MAX_REASON_CHARS) };
}
