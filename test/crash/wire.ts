// Requests as they are, without a client in between: what comes back is what the runtime said, and nothing was repeated.

import { readFileSync } from 'node:fs';

export interface Place {
  readonly url: string;
  readonly tokenFile: string;
}

export interface Reply {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Whatever takes longer has been lost. */
const WITHIN_MS = 20_000;

/** Rejects when there is no connection, or no whole answer in time. */
export async function send(
  place: Place,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Reply> {
  const response = await fetch(place.url + path, {
    method,
    headers: { ...headersOf(place, 'application/json', body !== undefined), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  return { status: response.status, body: (await response.json()) as Reply['body'] };
}

/** One answer for each line, as they come. Throws when the connection ends early. */
export async function* sendBatch(place: Place, lines: readonly unknown[]): AsyncGenerator<Record<string, unknown>> {
  const response = await fetch(`${place.url}/v1/inputs`, {
    method: 'POST',
    headers: headersOf(place, 'application/x-ndjson', true),
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
    signal: AbortSignal.timeout(WITHIN_MS),
  });
  if (response.status !== 200 || response.body === null) throw new Error(`the batch was answered ${response.status}`);
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    const whole = text.split('\n');
    text = whole.pop() ?? '';
    for (const line of whole) yield JSON.parse(line) as Record<string, unknown>;
  }
}

export function errorCodeOf({ body }: Pick<Reply, 'body'>): string | undefined {
  return (body['error'] as { code?: string } | undefined)?.code;
}

function headersOf({ tokenFile }: Place, type: string, hasBody: boolean): Record<string, string> {
  const authorization = `Bearer ${readFileSync(tokenFile, 'utf8').trim()}`;
  return hasBody ? { authorization, 'content-type': type } : { authorization };
}
