// Dead letters: inputs that are not delivered again. List, look, give back to their workers, throw away.

import type { FastifyRequest } from 'fastify';
import * as v from 'valibot';
import { toSnakeCase } from '../protocol/views.ts';
import { requireNoBody } from './body.ts';
import type { RegisterRoutes } from './edge.ts';
import { sendParts, sendView } from './reply.ts';
import { pageLimit, queryOf, requireNoQuery } from './request.ts';

export const DeadLettersQuery = v.strictObject({
  limit: v.exactOptional(pageLimit),
  after: v.exactOptional(v.string()),
  kind: v.exactOptional(v.string()),
  worker_id: v.exactOptional(v.string()),
});

export const registerDeadLetterRoutes: RegisterRoutes = (app, { supervisor: { deadLetters } }) => {
  app.get('/v1/dead-letters', (request, reply) => {
    const { worker_id: workerId, ...query } = queryOf(request, DeadLettersQuery);
    return sendView(reply, 200, deadLetters.list({ ...query, workerId }));
  });

  app.get('/v1/dead-letters/:inputId', (request, reply) => {
    requireNoQuery(request);
    const { summary, payload } = deadLetters.get(idOf(request));
    // As it was encoded by its sender: it may be large.
    const fields = JSON.stringify(toSnakeCase(summary)).slice(0, -1);
    return sendParts(reply, 200, [`{"dead_letter":${fields},"payload":`, payload, '}}']);
  });

  app.post('/v1/dead-letters/:inputId/redeliver', async (request, reply) => {
    requireNoQuery(request);
    requireNoBody(request);
    return sendView(reply, 202, { ack: await deadLetters.redeliver(idOf(request)) });
  });

  app.delete('/v1/dead-letters/:inputId', async (request, reply) => {
    requireNoQuery(request);
    requireNoBody(request);
    return sendView(reply, 200, { deadLetter: await deadLetters.discard(idOf(request)) });
  });
};

function idOf(request: FastifyRequest): string {
  return (request.params as { inputId: string }).inputId;
}
