// Many inputs in one request, one per line: to one worker, or to many. Their type is their own, so that nobody's single input is ever
// taken for a batch; what concerns the request as a whole is refused before a line is read.

import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GreenroomError } from '../errors.ts';
import { answerBatch } from './batch.ts';
import { parseBatch } from './body.ts';
import { BATCH_WAIT_MS } from './bounds.ts';
import type { Edge, RegisterRoutes } from './edge.ts';
import { deliverOptionsOf, waitSecondsOf } from './input-headers.ts';
import { requireNoQuery, workerIdOf } from './request.ts';
import type { WorkerParams } from './request.ts';

export const registerBatchRoutes: RegisterRoutes = (app, edge) => {
  const { supervisor } = edge;
  app.register((batches, _options, done) => {
    batches.removeAllContentTypeParsers();
    batches.addContentTypeParser('*', parseBatch);

    batches.route({
      method: 'POST',
      url: '/v1/workers/:workerId/inputs',
      onRequest: (request, _reply, next) => {
        supervisor.requireWorker(workerIdOf(request));
        requireNoQuery(request);
        requireNoKey(request);
        next();
      },
      handler: (request, reply) => answer(edge, request, reply, (request.params as WorkerParams).workerId),
    });

    batches.route({
      method: 'POST',
      url: '/v1/inputs',
      onRequest: (request, _reply, next) => {
        requireNoQuery(request);
        requireNoKey(request);
        next();
      },
      handler: (request, reply) => answer(edge, request, reply, null),
    });
    done();
  });
};

function answer(edge: Edge, request: FastifyRequest, reply: FastifyReply, workerId: string | null): FastifyReply {
  const waitSeconds = waitSecondsOf(request.headers.prefer);
  if (waitSeconds !== undefined) reply.header('preference-applied', `wait=${waitSeconds}`);
  const { deadlineMs, durability } = deliverOptionsOf(request.headers);
  const waitMs = waitSeconds === undefined ? BATCH_WAIT_MS : waitSeconds * 1000;
  return answerBatch(edge, request, reply, request.body instanceof Readable ? request.body : null, {
    waitMs,
    deadlineMs,
    durability,
    workerId,
  });
}

/** One key for many inputs would make them one input. */
function requireNoKey(request: FastifyRequest): void {
  if (request.headers['idempotency-key'] === undefined) return;
  const message = 'a batch has a key per line: `idempotency_key` in the lines of POST /v1/inputs';
  throw GreenroomError.of('invalid_request', { details: { issues: [{ path: 'idempotency-key', message }] } });
}
