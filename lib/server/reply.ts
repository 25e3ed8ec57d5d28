// Successful replies. Payloads are spliced into the text of a reply as they are: they were encoded once, in the host,
// and are neither parsed nor encoded again here.

import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { Payload } from '../protocol/payload.ts';
import { toSnakeCase } from '../protocol/views.ts';
import { countUnread } from './unread.ts';

export const JSON_TYPE = 'application/json; charset=utf-8';
/** What `/livez` answers. */
export const ALIVE = '{"health":{"status":"alive"}}';

/** Replies with a camelCase view, or an object of views, in snake_case. */
export function sendView(reply: FastifyReply, status: number, view: object): FastifyReply {
  return sendText(reply, status, JSON.stringify(toSnakeCase(view)));
}

/** Replies with JSON that is encoded already. Workers change at any time, so nothing may be kept by a cache. */
export function sendText(reply: FastifyReply, status: number, text: Payload): FastifyReply {
  countUnread(reply, text);
  return reply.code(status).header('content-type', JSON_TYPE).header('cache-control', 'no-store').send(text);
}

/** Replies with the parts of a JSON text. Large bytes are written as they are: putting 16 MiB together would stall the loop. */
export function sendParts(reply: FastifyReply, status: number, parts: readonly Payload[]): FastifyReply {
  if (parts.every((part) => typeof part === 'string')) return sendText(reply, status, parts.join(''));
  const chunks = parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part));
  for (const chunk of chunks) countUnread(reply, chunk);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  return reply
    .code(status)
    .header('content-type', JSON_TYPE)
    .header('cache-control', 'no-store')
    .header('content-length', bytes)
    .send(Readable.from(chunks, { objectMode: false }));
}

let lastMs = 0;
let lastText = '';

/** RFC 3339 with milliseconds. Under load many replies share a millisecond, and formatting is what costs. */
export function timestamp(atMs: number): string {
  if (atMs !== lastMs || lastText === '') {
    lastMs = atMs;
    lastText = new Date(atMs).toISOString();
  }
  return lastText;
}
