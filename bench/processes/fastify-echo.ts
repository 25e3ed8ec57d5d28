// The baseline of the rest scenario: the least that Fastify needs to parse a JSON body and answer with it.

import { fastify } from 'fastify';

const app = fastify();
app.post('/echo', (request, reply) => reply.send(request.body));
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${JSON.stringify({ url })}\n`);
process.once('SIGTERM', () => {
  app.server.closeAllConnections();
  app.close().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
