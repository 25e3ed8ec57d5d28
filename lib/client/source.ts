// Sources over HTTP. Reading one takes as long as whoever has it takes, so these calls have more time than others unless they say how long.

import { SOURCE_READ_TIMEOUT_MS } from '../limits.ts';
import type { SourceRequest } from '../protocol/source-request.ts';
import type { SourcePreview, SourceView } from '../protocol/views.ts';
import { isWorkerId } from '../protocol/worker-ids.ts';
import { noun } from './answers.ts';
import type { CallOptions } from './options.ts';
import type { Exchange, Transport } from './transport.ts';

/** The runtime gives up first, and says why. A reading may wait for one that is under way. */
const TIMEOUT_MS = 2 * SOURCE_READ_TIMEOUT_MS + 5_000;

export async function createSource(
  transport: Transport,
  request: SourceRequest,
  options: CallOptions,
): Promise<SourceView> {
  const body = transport.encodeBody(request);
  return wait(transport, { method: 'POST', path: '/v1/sources', body }, options, 'source');
}

export async function previewSource(
  transport: Transport,
  request: SourceRequest,
  options: CallOptions,
): Promise<SourcePreview> {
  const body = transport.encodeBody(request);
  return wait(transport, { method: 'POST', path: '/v1/sources?dry_run=true', body }, options, 'preview');
}

export function viewSource(transport: Transport, name: string, options: CallOptions): Promise<SourceView> {
  return wait(transport, { method: 'GET', path: pathOf(name) }, options, 'source');
}

export function refreshSource(transport: Transport, name: string, options: CallOptions): Promise<SourceView> {
  return wait(transport, { method: 'POST', path: `${pathOf(name)}/refresh` }, options, 'source');
}

export function deleteSource(transport: Transport, name: string, options: CallOptions): Promise<SourceView> {
  return wait(transport, { method: 'DELETE', path: pathOf(name) }, options, 'source');
}

async function wait<T>(transport: Transport, request: Exchange, options: CallOptions, answer: string): Promise<T> {
  const isSafe = request.method === 'GET';
  const waits = request.method === 'POST';
  return noun(await transport.request({ ...request, waits }, options, isSafe, waits ? TIMEOUT_MS : undefined), answer);
}

function pathOf(name: string): string {
  // A valid name is its own and only spelling.
  return `/v1/sources/${isWorkerId(name) ? name : encodeURIComponent(name)}`;
}
