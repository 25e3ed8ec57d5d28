// A call of a function over HTTP: one request that the runtime holds until there is a value or the time is up. A call may have had
// its effect whatever becomes of its answer, so it is never repeated here.

import { encode } from '../protocol/payload.ts';
import { noun } from './answers.ts';
import type { InvokeOptions } from './options.ts';
import type { Transport } from './transport.ts';

export async function invoke(
  transport: Transport,
  functionId: string,
  payload: unknown,
  { metadata, respondAsync = false, ...options }: InvokeOptions,
): Promise<unknown> {
  const body = transport.encodeBody(payload ?? null);
  const call = transport.open(options);
  try {
    const headers = {
      'greenroom-deadline-ms': String(Math.max(1, Math.ceil(call.remainingMs))),
      ...(metadata !== undefined && { 'greenroom-metadata': toAscii(encode(metadata)) }),
      ...(respondAsync && { prefer: 'respond-async' }),
    };
    const path = `/v1/functions/${encodeURIComponent(functionId)}/invoke`;
    const answer = await call.attempts(false, () =>
      transport.exchange(call, { method: 'POST', path, body, headers, waits: !respondAsync }),
    );
    if (respondAsync) return undefined;
    return noun<{ output?: unknown }>(answer, 'result').output ?? null;
  } finally {
    call[Symbol.dispose]();
  }
}

/** The same JSON in characters that a header can carry. */
function toAscii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
