// What can be created here. The actors of a runtime do not change, so their schemas are written out once.

import { toSnakeCase } from '../protocol/views.ts';
import type { RegisterRoutes } from './edge.ts';
import { sendText } from './reply.ts';
import { requireNoQuery } from './request.ts';

export const registerActorRoutes: RegisterRoutes = (app, { supervisor }) => {
  let text: string | undefined;

  app.get('/v1/actors', (request, reply) => {
    requireNoQuery(request);
    text ??= JSON.stringify(toSnakeCase({ actors: supervisor.actors() }));
    return sendText(reply, 200, text);
  });
};
