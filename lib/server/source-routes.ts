// Sources: list, make, look, read again, delete. What a source is made from is one JSON object, whose rest its type knows.

import type { FastifyRequest } from 'fastify';
import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import { requireNoBody } from './body.ts';
import type { RegisterRoutes } from './edge.ts';
import { sendView } from './reply.ts';
import { pageLimit, pathOf, queryOf, requireNoQuery } from './request.ts';

export const SourcesQuery = v.strictObject({ limit: v.exactOptional(pageLimit), after: v.exactOptional(v.string()) });
export const CreateSourceQuery = v.strictObject({ dry_run: v.exactOptional(v.picklist(['true', 'false'])) });

/** What all types share; the rest of the object is for the type. */
export const CreateSourceBody = v.looseObject({
  name: v.string(),
  type: v.picklist(['openapi', 'mcp']),
  include: v.exactOptional(v.array(v.string())),
  exclude: v.exactOptional(v.array(v.string())),
});

export const registerSourceRoutes: RegisterRoutes = (app, { outside: { sources }, calls }) => {
  app.get('/v1/sources', (request, reply) => sendView(reply, 200, sources.list(queryOf(request, SourcesQuery))));

  app.post('/v1/sources', async (request, reply) => {
    const { dry_run: dryRun } = queryOf(request, CreateSourceQuery);
    const document = request.body instanceof Uint8Array ? request.body : EMPTY;
    const by = { isFromOperator: false };
    if (dryRun === 'true') {
      const preview = await calls.wait(reply.raw, (signal) => sources.preview(document, { ...by, signal }));
      return sendView(reply, 200, { preview });
    }
    // Whoever goes before there is an answer cannot know whether there is a source: then there is none.
    const source = await calls.wait(reply.raw, (signal) => sources.create(document, { ...by, signal }));
    reply.header('location', `${pathOf(request)}/${source.name}`);
    return sendView(reply, 201, { source });
  });

  app.get('/v1/sources/:name', (request, reply) => {
    requireNoQuery(request);
    return sendView(reply, 200, { source: sources.view(nameOf(request)) });
  });

  app.delete('/v1/sources/:name', async (request, reply) => {
    requireNoQuery(request);
    requireNoBody(request);
    return sendView(reply, 200, { source: await sources.delete(nameOf(request)) });
  });

  app.post('/v1/sources/:name/refresh', async (request, reply) => {
    requireNoQuery(request);
    requireNoBody(request);
    const name = nameOf(request);
    return sendView(reply, 200, {
      source: await calls.wait(reply.raw, (signal) => sources.refresh(name, signal)),
    });
  });
};

const EMPTY = Buffer.from('{}');

/** A name has one spelling: a proxy that decides by path must see the source that we see. Throws `not_found`. */
function nameOf(request: FastifyRequest): string {
  const { name } = request.params as { name: string };
  if (`${pathOf(request)}/`.includes(`/sources/${name}/`)) return name;
  throw GreenroomError.of('not_found', { message: 'There is no source of that name.' });
}
