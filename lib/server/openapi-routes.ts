// This API as an OpenAPI document. The routes do not change while the server runs, so it is made once: by the first who asks for it.

import type { RegisterRoutes } from './edge.ts';
import { sendText } from './reply.ts';
import { requireNoQuery } from './request.ts';

export const registerOpenApiRoutes: RegisterRoutes = (app, { supervisor }) => {
  let text: string | undefined;

  app.get('/v1/openapi.json', async (request, reply) => {
    requireNoQuery(request);
    const { describeApi } = await import('./openapi-document.ts');
    text ??= JSON.stringify(describeApi(supervisor.identity.version, app.prefix));
    return sendText(reply, 200, text);
  });
};
