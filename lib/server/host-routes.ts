// What workers run on: list, look, recycle.

import type { FastifyRequest } from 'fastify';
import { GreenroomError } from '../errors.ts';
import { requireNoBody } from './body.ts';
import type { RegisterRoutes } from './edge.ts';
import { sendView } from './reply.ts';
import { pathOf, requireNoQuery } from './request.ts';

export const registerHostRoutes: RegisterRoutes = (app, { supervisor: { residence } }) => {
  app.get('/v1/hosts', (request, reply) => {
    requireNoQuery(request);
    return sendView(reply, 200, { hosts: residence.hosts() });
  });

  app.get('/v1/hosts/:hostId', (request, reply) => {
    requireNoQuery(request);
    return sendView(reply, 200, { host: residence.host(hostIdOf(request)) });
  });

  app.post('/v1/hosts/:hostId/recycle', (request, reply) => {
    requireNoQuery(request);
    requireNoBody(request);
    const hostId = hostIdOf(request);
    // Nobody waits for its end, which may take as long as what runs there; what goes wrong is in the log.
    residence.recycleHost(hostId).catch(() => undefined);
    return sendView(reply, 202, { host: residence.host(hostId) });
  });
};

/** An id has one spelling: a proxy that decides by path must see the host that we see. Throws `not_found`. */
function hostIdOf(request: FastifyRequest): string {
  const { hostId } = request.params as { hostId: string };
  if (`${pathOf(request)}/`.includes(`/hosts/${hostId}/`)) return hostId;
  throw GreenroomError.of('not_found', { message: 'There is no host of that id.' });
}
