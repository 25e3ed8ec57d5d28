// The endpoint of the model: which one may be used, one request to it, and the stream that it answers with. Everything that arrives is bounded.

import { createParser } from 'eventsource-parser';
import { ActorError } from '../../lib/actor.ts';
import { Answer } from './answer.ts';
import type { AgentConfig, AgentContext, Message } from './conversation.ts';
import type { Deltas } from './deltas.ts';
import { modelError, unavailable } from './failures.ts';

/** One event of the stream, which is a few tokens as a rule. */
const MAX_EVENT_CHARS = 1_048_576;
/** One answer as it arrives, around its tokens. */
const MAX_STREAM_BYTES = 16_777_216;

export interface Endpoint {
  readonly url: string;
  readonly headers: Record<string, string>;
}

/**
 * What workers may use is for the operator to say, not for who creates them: otherwise anybody who may create workers could send requests,
 * and what stands in the environment, anywhere. Throws `base_url_not_allowed` and `key_not_found`.
 */
export function endpointOf({ base_url, key_variable }: AgentConfig): Endpoint {
  const { AGENT_BASE_URLS = '', AGENT_KEY_VARIABLES = '' } = process.env;
  const plain = (url: string): string => url.replace(/\/+$/, '');
  if (!listed(AGENT_BASE_URLS).map(plain).includes(plain(base_url)))
    throw new ActorError('base_url_not_allowed', 'The base URL is not one of those in AGENT_BASE_URLS.');
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'text/event-stream' };
  if (key_variable !== undefined) {
    const key = listed(AGENT_KEY_VARIABLES).includes(key_variable) ? process.env[key_variable] : undefined;
    if (key === undefined || !/^[\x21-\x7e]+$/.test(key))
      throw new ActorError('key_not_found', 'The variable of the key is not set, or not in AGENT_KEY_VARIABLES.');
    headers['authorization'] = `Bearer ${key}`;
  }
  return { url: `${plain(base_url)}/chat/completions`, headers };
}

const listed = (text: string): string[] => text.split(/[\s,]+/).filter((entry) => entry !== '');

export function requestOf({ model, system, temperature }: AgentConfig, messages: Message[], tools: object[]): string {
  return JSON.stringify({
    model,
    stream: true,
    messages: [...(system === undefined ? [] : [{ role: 'system', content: system }]), ...messages],
    ...(temperature !== undefined && { temperature }),
    ...(tools.length > 0 && { tools }),
  });
}

/** Rejects with `model_unavailable` (worth another try), `model_error` (not), or as the input was cancelled. */
export async function askModel(
  ctx: AgentContext,
  { url, headers }: Endpoint,
  body: string,
  deltas: Deltas,
): Promise<Answer> {
  ctx.checkpoint();
  const abort = new AbortController();
  const cancel = (): void => abort.abort();
  const timer = setTimeout(cancel, ctx.config.timeout_ms);
  ctx.signal.addEventListener('abort', cancel, { once: true });
  try {
    // Not followed: where it leads is not what the operator has allowed, and the key would go along.
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: abort.signal });
    const answer = new Answer();
    await readStream(await requireStream(response), answer, deltas);
    deltas.flush();
    return answer;
  } catch (thrown) {
    ctx.checkpoint();
    const { code } = thrown as { code?: unknown };
    // Ours, and those of the context; the network's are in capitals.
    if (typeof code === 'string' && /^[a-z]/.test(code)) throw thrown;
    throw unavailable(abort.signal.aborted ? 'timeout' : 'connection');
  } finally {
    clearTimeout(timer);
    ctx.signal.removeEventListener('abort', cancel);
  }
}

/** The body of an answer that is a stream of events. Nothing of any other is told: it may quote the request, or the key. */
async function requireStream(response: Response): Promise<ReadableStream<Uint8Array>> {
  const { ok, status, headers, body } = response;
  const isStream = /^text\/event-stream\b/i.test(headers.get('content-type') ?? '');
  if (ok && isStream && body !== null) return body;
  await body?.cancel();
  if (ok) throw modelError('not_a_stream');
  if (status !== 429 && status < 500) throw modelError('status', { status });
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  throw unavailable('status', { status, ...(seconds >= 0 && { retry_after_ms: Math.ceil(seconds * 1_000) }) });
}

/** Rejects with `model_error`, or with `model_unavailable` when the stream ends before the answer does. */
async function readStream(body: ReadableStream<Uint8Array>, answer: Answer, deltas: Deltas): Promise<void> {
  let bytes = 0;
  const decoder = new TextDecoder();
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent: ({ data }) => deltas.push(answer.read(data)),
    onError: ({ type }) => {
      // Fields that nobody knows are to be ignored.
      if (type === 'max-buffer-size-exceeded') throw modelError('too_large');
    },
  });
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > MAX_STREAM_BYTES) throw modelError('too_large');
    parser.feed(decoder.decode(chunk, { stream: true }));
    // To leave the loop closes the stream: not every server does when it is through.
    if (answer.isDone) break;
  }
  // Some end without a mark.
  if (answer.finishReason === '') throw unavailable('ended_early');
}
