// For process managers and load balancers, without a credential; they learn nothing else here. Alive means that the event
// loop turns; ready means that inputs are accepted: a runtime that drains, or whose store cannot write, is alive and not ready.

import { GreenroomError } from '../errors.ts';
import type { RegisterRoutes } from './edge.ts';
import { ALIVE, sendText } from './reply.ts';

export const registerHealthRoutes: RegisterRoutes = (app, edge) => {
  app.get('/livez', (_request, reply) => sendText(reply, 200, ALIVE));

  app.get('/readyz', (_request, reply) => {
    const { supervisor } = edge;
    // Not the trouble itself: it may say more than is meant for everybody.
    if (supervisor.storeTrouble !== null)
      throw GreenroomError.of('runtime_unavailable', { details: { reason: 'store_failed' } });
    if (edge.isClosing || !supervisor.isReady) throw GreenroomError.of('runtime_unavailable');
    return sendText(reply, 200, '{"health":{"status":"ready"}}');
  });
};
