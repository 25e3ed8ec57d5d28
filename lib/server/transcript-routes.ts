// The record of one worker, a page at a time. The data of an entry is spliced into the reply as it was encoded.

import * as v from 'valibot';
import { MAX_PAGE_ITEMS } from '../limits.ts';
import type { Payload } from '../protocol/payload.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import type { RegisterRoutes } from './edge.ts';
import { sendParts, timestamp } from './reply.ts';
import { pageLimit, queryOf, sequence, workerIdOf } from './request.ts';

const DEFAULT_ITEMS = Math.min(256, MAX_PAGE_ITEMS);

export const TranscriptQuery = v.strictObject({
  after: v.optional(sequence, '0'),
  limit: v.optional(pageLimit, String(DEFAULT_ITEMS)),
});

export const registerTranscriptRoutes: RegisterRoutes = (app, { supervisor }) => {
  app.get('/v1/workers/:workerId/transcript', (request, reply) => {
    const workerId = workerIdOf(request);
    return sendParts(reply, 200, pageParts(supervisor.transcript(workerId, queryOf(request, TranscriptQuery))));
  });
};

/** Ids and types are of alphabets that need no escaping in JSON. */
function pageParts(page: ReturnType<Supervisor['transcript']>): Payload[] {
  const parts: Payload[] = [
    `{"transcript":{"worker_id":"${page.workerId}","first_sequence":${page.firstSequence},"items":[`,
  ];
  let separator = '';
  for (const { sequence, atMs, type, inputId, data } of page.items) {
    const input = inputId === null ? '' : `,"input_id":"${inputId}"`;
    parts.push(
      `${separator}{"sequence":${sequence},"at":"${timestamp(atMs)}","type":"${type}"${input},"data":`,
      data,
      '}',
    );
    separator = ',';
  }
  parts.push(`],"next_after":${page.nextAfter},"has_more":${page.hasMore}}}`);
  return parts;
}
