// For process managers and load balancers, without a credential; they learn nothing else here. Alive means that the event
// loop turns; ready means that inputs are accepted: a runtime that drains is alive and not ready.

import { GreenroomError } from '../errors.ts';
import type { RegisterRoutes } from './edge.ts';
import { sendText } from './reply.ts';

export const registerHealthRoutes: RegisterRoutes = (app, edge) => {
  app.get('/livez', (_request, reply) => sendText(reply, 200, '{"health":{"status":"alive"}}'));

  app.get('/readyz', (_request, reply) => {
    if (edge.isClosing || !edge.supervisor.isReady) throw GreenroomError.of('runtime_unavailable');
    return sendText(reply, 200, '{"health":{"status":"ready"}}');
  });
};
