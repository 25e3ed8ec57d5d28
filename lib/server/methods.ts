// Tells an unknown path from a known one with the wrong method. Filled by the routes themselves as they are registered,
// so that it cannot disagree with them; asked only when no route matched.

import type { FastifyRequest, RouteOptions } from 'fastify';
import { GreenroomError } from '../errors.ts';
import { pathOf } from './request.ts';

export class RouteTable {
  readonly #methods = new Map<string, { pattern: RegExp; methods: Set<string> }>();

  /** An `onRoute` hook. */
  readonly add = (route: RouteOptions & { url: string }): void => {
    if (route.url.endsWith('*')) return;
    let entry = this.#methods.get(route.url);
    if (entry === undefined) {
      entry = { pattern: toPattern(route.url), methods: new Set() };
      this.#methods.set(route.url, entry);
    }
    for (const method of [route.method].flat()) entry.methods.add(method);
  };

  /** `method_not_allowed` with `details.allow`, or `route_not_found`. */
  refusal(request: FastifyRequest): GreenroomError {
    const path = pathOf(request);
    const allow = new Set<string>();
    for (const { pattern, methods } of this.#methods.values()) {
      if (pattern.test(path)) for (const method of methods) allow.add(method);
    }
    if (allow.size === 0) return GreenroomError.of('route_not_found');
    // Everything fits, and yet the router let it fall through: see `catchLongIds`.
    if (allow.has(request.method))
      return GreenroomError.of(/\/v1\/(?:functions|sources)\//.test(path) ? 'invalid_request' : 'invalid_worker_id', {
        message: 'The id is longer than this app lets its routes match.',
      });
    return GreenroomError.of('method_not_allowed', { details: { allow: [...allow].sort() } });
  }
}

function toPattern(url: string): RegExp {
  const parts = url
    .split('/')
    .map((part) => (part.startsWith(':') ? '[^/]*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')));
  return new RegExp(`^${parts.join('/')}$`);
}
