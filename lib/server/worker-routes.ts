// Workers: list, create, look, delete, and the three commands that overtake inputs: cancel, stop, restore.

import * as v from 'valibot';
import { MAX_DISPLAY_NAME_CHARS, MAX_REASON_CHARS } from '../limits.ts';
import { PEER_STATUSES, WORKER_STATUSES } from '../protocol/views.ts';
import { bodyOf, requireNoBody } from './body.ts';
import type { RegisterRoutes } from './edge.ts';
import { sendView } from './reply.ts';
import { pageLimit, pathOf, queryOf, requireNoQuery, workerIdOf } from './request.ts';

export const WorkersQuery = v.strictObject({
  status: v.exactOptional(v.picklist([...WORKER_STATUSES, ...PEER_STATUSES])),
  origin: v.exactOptional(v.picklist(['actor', 'remote', 'group'])),
  kind: v.exactOptional(v.string()),
  limit: v.exactOptional(pageLimit),
  after: v.exactOptional(v.string()),
});

export const CreateWorkerBody = v.strictObject({
  kind: v.string(),
  worker_id: v.exactOptional(v.string()),
  config: v.exactOptional(v.unknown()),
  display_name: v.exactOptional(v.pipe(v.string(), v.maxLength(MAX_DISPLAY_NAME_CHARS))),
});

export const DeleteWorkerQuery = v.strictObject({ force: v.exactOptional(v.picklist(['true', 'false'])) });

const reason = v.exactOptional(v.pipe(v.string(), v.maxLength(MAX_REASON_CHARS)));
export const CancelBody = v.strictObject({ input_id: v.exactOptional(v.string()), reason });
export const StopBody = v.strictObject({ drain: v.exactOptional(v.boolean()), reason });

export const registerWorkerRoutes: RegisterRoutes = (app, { supervisor }) => {
  app.get('/v1/workers', (request, reply) => sendView(reply, 200, supervisor.list(queryOf(request, WorkersQuery))));

  app.post('/v1/workers', async (request, reply) => {
    requireNoQuery(request);
    const { kind, worker_id, display_name, ...rest } = bodyOf(request, CreateWorkerBody);
    const { workerId, created } = await supervisor.create({
      kind,
      ...(worker_id !== undefined && { workerId: worker_id }),
      ...(display_name !== undefined && { displayName: display_name }),
      ...rest,
    });
    // Relative to the request, so that it is right under any mount prefix.
    if (created) reply.header('location', `${pathOf(request)}/${workerId}`);
    return sendView(reply, created ? 201 : 200, { worker: supervisor.view(workerId) });
  });

  app.get('/v1/workers/:workerId', (request, reply) => {
    const workerId = workerIdOf(request);
    requireNoQuery(request);
    return sendView(reply, 200, { worker: supervisor.anyView(workerId) });
  });

  app.delete('/v1/workers/:workerId', async (request, reply) => {
    const workerId = workerIdOf(request);
    const { force } = queryOf(request, DeleteWorkerQuery);
    requireNoBody(request);
    return sendView(reply, 200, { worker: await supervisor.delete(workerId, { force: force === 'true' }) });
  });
};

export const registerCommandRoutes: RegisterRoutes = (app, { supervisor }) => {
  app.post('/v1/workers/:workerId/cancel', async (request, reply) => {
    const workerId = workerIdOf(request);
    requireNoQuery(request);
    const { input_id: inputId, ...rest } = bodyOf(request, CancelBody);
    const ack = await supervisor.cancel(workerId, inputId === undefined ? rest : { inputId, ...rest });
    return sendView(reply, 200, { ack });
  });

  app.post('/v1/workers/:workerId/stop', async (request, reply) => {
    const workerId = workerIdOf(request);
    requireNoQuery(request);
    const ack = await supervisor.stop(workerId, bodyOf(request, StopBody));
    return sendView(reply, 200, { ack });
  });

  app.post('/v1/workers/:workerId/restore', async (request, reply) => {
    const workerId = workerIdOf(request);
    requireNoQuery(request);
    requireNoBody(request);
    return sendView(reply, 200, { worker: await supervisor.restore(workerId) });
  });
};
