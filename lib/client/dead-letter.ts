// Dead letters over HTTP: look at one, give it back to its worker, throw it away.

import type { DeadLetterSummary, DeadLetterView, Receipt } from '../protocol/views.ts';
import { noun } from './answers.ts';
import type { CallOptions } from './options.ts';
import type { Transport } from './transport.ts';

export async function viewDeadLetter(transport: Transport, id: string, options: CallOptions): Promise<DeadLetterView> {
  return noun(await transport.request({ method: 'GET', path: pathOf(id) }, options), 'deadLetter');
}

/** Not repeated: a second one may find that the first has taken it away. */
export async function redeliver(transport: Transport, id: string, options: CallOptions): Promise<Receipt> {
  return noun(await transport.request({ method: 'POST', path: `${pathOf(id)}/redeliver` }, options), 'ack');
}

export async function discard(transport: Transport, id: string, options: CallOptions): Promise<DeadLetterSummary> {
  return noun(await transport.request({ method: 'DELETE', path: pathOf(id) }, options), 'deadLetter');
}

function pathOf(inputId: string): string {
  return `/v1/dead-letters/${encodeURIComponent(inputId)}`;
}
