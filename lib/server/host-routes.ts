// What workers run on: list, look, recycle.

import type { FastifyRequest } from 'fastify';
import { GreenroomError } from '../errors.ts';
import { requireNoBody } from './body.ts';
import type { RegisterRoutes } from './edge.ts';
import { sendView } from './reply.ts';
import { pathOf, requireNoQuery } from './request.ts';

export const registerHostRoutes: RegisterRoutes = (app, { supervisor: { residence } }) => {
  app.get('/v1/hosts', async (request, reply) => {
    requireNoQuery(request);
    return sendView(reply, 200, { hosts: await residence.hosts() });
  });

  app.get('/v1/hosts/:hostId', async (request, reply) => {
    requireNoQuery(request);
    return sendView(reply, 200, { host: await residence.host(hostIdOf(request)) });
  });

  app.post('/v1/hosts/:hostId/recycle', async (request, reply) => {
    requireNoQuery(request);
    requireNoBody(request);
    // Nobody waits for its end: it may take as long as what runs there.
    const { host } = await residence.recycleHost(hostIdOf(request));
    return sendView(reply, 202, { host });
  });
};

/** An id has one spelling: a proxy that decides by path must see the host that we see. Throws `not_found`. */
function hostIdOf(request: FastifyRequest): string {
  const { hostId } = request.params as { hostId: string };
  if (`${pathOf(request)}/`.includes(`/hosts/${hostId}/`)) return hostId;
  throw GreenroomError.of('not_found', { message: 'There is no host of that id.' });
}
