// The runtime as a whole: what it is, what it holds, how it is doing, and its end.

import * as v from 'valibot';
import { MAX_WAIT_MS } from '../limits.ts';
import { bodyOf } from './body.ts';
import type { RegisterRoutes } from './edge.ts';
import { sendView } from './reply.ts';
import { requireNoQuery } from './request.ts';

export const DrainBody = v.strictObject({
  deadline_ms: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_WAIT_MS))),
});

export const registerRuntimeRoutes: RegisterRoutes = (app, { describe, close }) => {
  app.get('/v1/runtime', async (request, reply) => {
    requireNoQuery(request);
    return sendView(reply, 200, { runtime: await describe() });
  });

  // Answered when it is over; whoever goes on waiting for it afterwards, or asks again, gets the same report.
  app.post('/v1/runtime/drain', async (request, reply) => {
    requireNoQuery(request);
    const { deadline_ms: deadlineMs } = bodyOf(request, DrainBody);
    return sendView(reply, 200, { report: await close(deadlineMs) });
  });
};
