// The runtime as a whole: what it is, what it holds, and how it is doing.

import type { RegisterRoutes } from './edge.ts';
import { sendView } from './reply.ts';
import { requireNoQuery } from './request.ts';

export const registerRuntimeRoutes: RegisterRoutes = (app, { describe }) => {
  app.get('/v1/runtime', async (request, reply) => {
    requireNoQuery(request);
    return sendView(reply, 200, { runtime: await describe() });
  });
};
