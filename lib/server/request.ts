// What a request says apart from its body: ids in the path, the query string. Refused by name, never ignored.

import type { FastifyRequest } from 'fastify';
import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import { MAX_PAGE_ITEMS } from '../limits.ts';
import { requireValid } from '../protocol/issues.ts';
import { requireWorkerId } from '../supervisor/directory.ts';

export interface WorkerParams {
  workerId: string;
}

/** The worker id of the path. Throws `invalid_worker_id`. */
export function workerIdOf(request: FastifyRequest): string {
  const { workerId } = request.params as WorkerParams;
  // The router has decoded it. An id has one spelling: a proxy that decides by path must see the worker that we see.
  const isEncoded = request.url.includes('%') && !`${pathOf(request)}/`.includes(`/workers/${workerId}/`);
  if (isEncoded) throw GreenroomError.of('invalid_worker_id');
  return requireWorkerId(workerId);
}

/** The path as it was sent, the mount prefix included and the query string not. */
export function pathOf(request: FastifyRequest): string {
  const end = request.url.indexOf('?');
  return end === -1 ? request.url : request.url.slice(0, end);
}

/** The query string against a strict schema. Read from the URL itself: an embedding app may use any parser. Throws `invalid_query`. */
export function queryOf<S extends v.GenericSchema>(request: FastifyRequest, schema: S): v.InferOutput<S> {
  const start = request.url.indexOf('?');
  const query: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [key, value] of new URLSearchParams(start === -1 ? '' : request.url.slice(start + 1))) {
    if (key in query) {
      throw GreenroomError.of('invalid_query', {
        details: { issues: [{ path: key, message: 'given more than once' }] },
      });
    }
    query[key] = value;
  }
  return requireValid(schema, query, 'invalid_query');
}

const NO_QUERY = v.strictObject({});

/** For routes that take no query. Costs one search when there is none. */
export function requireNoQuery(request: FastifyRequest): void {
  if (request.url.includes('?')) queryOf(request, NO_QUERY);
}

/** A whole number in a query string, of at most 15 digits so that it is exact. */
const digits = v.pipe(v.string(), v.regex(/^\d{1,15}$/, 'expected a whole number'), v.transform(Number));

/** Items of one page. */
export const pageLimit = v.pipe(digits, v.minValue(1), v.maxValue(MAX_PAGE_ITEMS));

/** A position in a transcript; 0 is before the first entry. */
export const sequence = digits;
