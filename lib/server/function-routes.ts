// Functions over REST: listed, looked at and called, whoever serves them; registered and deleted if they are called over HTTP. The body of a call is its payload, one JSON value; its
// bytes go to the owner as they came once they are known to be JSON, and the output comes back as it was encoded.

import { performance } from 'node:perf_hooks';
import type { FastifyReply, FastifyRequest } from 'fastify';
import * as v from 'valibot';
import { GreenroomError } from '../errors.ts';
import type { Caller, FunctionCall } from '../functions/function.ts';
import { functionView } from '../functions/registry.ts';
import { INLINE_PARSE_BYTES, MAX_REGISTRATION_BYTES } from '../limits.ts';
import { parseUntrusted, untrustedText } from '../protocol/json.ts';
import { requireSize } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { bodyOf, requireNoBody } from './body.ts';
import type { Edge, RegisterRoutes } from './edge.ts';
import { sendError } from './errors.ts';
import { prefersAsync, requireDeadlineMs } from './input-headers.ts';
import { sendParts, sendView } from './reply.ts';
import { pageLimit, queryOf, requireNoQuery } from './request.ts';

export const FunctionsQuery = v.strictObject({
  search: v.exactOptional(v.string()),
  worker: v.exactOptional(v.string()),
  limit: v.exactOptional(pageLimit),
  after: v.exactOptional(v.string()),
  internal: v.exactOptional(v.picklist(['true', 'false'])),
});

/** Checked by who registers it. */
const Document = v.record(v.string(), v.unknown());

/** The router has decoded it, once: an id may hold any character, so unlike those of workers it may be percent-encoded. */
const idOf = (request: FastifyRequest): string => (request.params as { functionId: string }).functionId;

export const registerFunctionRoutes: RegisterRoutes = (app, edge) => {
  const { functions } = edge;

  app.get('/v1/functions', (request, reply) => {
    const { internal, ...query } = queryOf(request, FunctionsQuery);
    return sendView(reply, 200, functions.list({ ...query, includeInternal: internal === 'true' }));
  });

  app.get('/v1/functions/:functionId', (request, reply) => {
    requireNoQuery(request);
    return sendView(reply, 200, { function: functionView(functions.require(idOf(request))) });
  });

  app.put('/v1/functions/:functionId', async (request, reply) => {
    requireNoQuery(request);
    const document = documentOf(request);
    const { registered, isNew } = await edge.calls.wait(reply.raw, (signal) =>
      edge.outside.backend.register(idOf(request), document, signal),
    );
    return sendView(reply, isNew ? 201 : 200, { function: functionView(registered) });
  });

  app.delete('/v1/functions/:functionId', async (request, reply) => {
    requireNoQuery(request);
    requireNoBody(request);
    return sendView(reply, 200, { function: functionView(await edge.outside.backend.unregister(idOf(request))) });
  });

  app.route({
    method: 'POST',
    url: '/v1/functions/:functionId/invoke',
    onRequest: (request, _reply, done) => {
      requireNoQuery(request);
      functions.require(idOf(request));
      done();
    },
    handler: (request, reply) => invoke(edge, request, reply),
  });
};

/** Not async: on the hot path each promise costs turns of the microtask queue. */
function invoke(edge: Edge, request: FastifyRequest, reply: FastifyReply): void {
  const options = optionsOf(edge, request);
  const body = request.body instanceof Uint8Array ? request.body : null;
  const checked = body === null ? undefined : edge.supervisor.checkPayload(body);
  if (checked === undefined) return call(edge, { request, reply, body, options });
  const startedAt = performance.now();
  checked
    .then(() => {
      const timeoutMs = Math.max(1, options.timeoutMs - (performance.now() - startedAt));
      call(edge, { request, reply, body, options: { ...options, timeoutMs } });
    })
    .catch((error: unknown) => void sendError(request, reply, error, edge.log));
}

interface Invocation {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** One JSON value, or nothing. */
  readonly body: Uint8Array | null;
  readonly options: CallOptions;
}

function call(edge: Edge, { request, reply, body, options }: Invocation): void {
  const functionId = idOf(request);
  const { timeoutMs, metadata, traceparent, baggage } = options;
  const make = (signal?: AbortSignal): Promise<Payload> =>
    edge.functions.call(functionId, {
      payload: payloadOf(body),
      metadata,
      caller: BACKEND,
      timeoutMs,
      traceparent,
      baggage,
      signal,
    });
  if (prefersAsync(request.headers.prefer)) {
    edge.calls.leave(functionId, make);
    reply.header('preference-applied', 'respond-async');
    sendView(reply, 202, { ack: { functionId, status: 'accepted' } });
    return;
  }
  edge.calls
    .wait(reply.raw, make)
    .then((output) => {
      sendParts(reply, 200, [`{"result":{"function_id":${JSON.stringify(functionId)},"output":`, output, '}}']);
    })
    .catch((error: unknown) => void sendError(request, reply, error, edge.log));
}

/** Small enough to be parsed here. Throws `payload_too_large`, `invalid_json` or `invalid_request`. */
function documentOf(request: FastifyRequest): Record<string, unknown> {
  if (request.body instanceof Uint8Array) requireSize(request.body.byteLength, MAX_REGISTRATION_BYTES, 'http');
  return bodyOf(request, Document);
}

function payloadOf(body: Uint8Array | null): Payload {
  if (body === null) return 'null';
  return body.byteLength <= INLINE_PARSE_BYTES ? untrustedText(body) : body;
}

type CallOptions = Pick<FunctionCall, 'timeoutMs' | 'metadata' | 'traceparent' | 'baggage'>;
const BACKEND: Caller = { workerId: null };

/** Throws `invalid_request`, naming the header. */
function optionsOf({ supervisor }: Edge, { headers }: FastifyRequest): CallOptions {
  const { 'greenroom-deadline-ms': deadline, 'greenroom-metadata': metadata, traceparent, baggage } = headers;
  return {
    timeoutMs:
      deadline === undefined
        ? supervisor.limits.invocationTimeoutMs
        : requireDeadlineMs(String(deadline), 'greenroom-deadline-ms'),
    metadata: metadata === undefined ? null : requireMetadata(String(metadata)),
    traceparent: traceparent === undefined ? undefined : String(traceparent),
    baggage: baggage === undefined ? undefined : String(baggage),
  };
}

/** One JSON value in ASCII: a header has no other characters that arrive as they were sent. */
function requireMetadata(text: string): string {
  try {
    if (!/^[\x20-\x7e]*$/.test(text)) throw GreenroomError.of('invalid_json');
    parseUntrusted(text);
    return text;
  } catch (cause) {
    const message = 'expected one JSON value in ASCII, other characters escaped as \\uXXXX';
    throw GreenroomError.of('invalid_request', {
      details: { issues: [{ path: 'greenroom-metadata', message }] },
      cause,
    });
  }
}
