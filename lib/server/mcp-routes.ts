// The functions as tools of an MCP server, over streamable HTTP: `POST /v1/mcp`, for the runtime's token and for credentials of the gateway
// that have the right. Stateless, so that there is nothing to get or to delete. What speaks the protocol is loaded by the first request.

import { isIP } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CredentialPolicy } from '../access/credential-policy.ts';
import { createAuthenticateSocket } from '../access/credentials.ts';
import { requireGateway } from '../access/options-schema.ts';
import type { GatewayOptions } from '../access/options.ts';
import { GreenroomError } from '../errors.ts';
import type { ServedTools, ToolExchange } from '../mcp/served.ts';
import { parseUntrusted } from '../protocol/json.ts';
import type { Authenticate } from './auth.ts';
import type { Edge } from './edge.ts';
import { requireDeadlineMs } from './input-headers.ts';
import { requireNoQuery } from './request.ts';
import { countUnread } from './unread.ts';

const PATH = '/v1/mcp';
const OTHER_METHODS = ['GET', 'HEAD', 'DELETE', 'PUT', 'PATCH', 'OPTIONS'];

interface McpAccess {
  readonly token: string | undefined;
  /** That of the REST routes. */
  readonly isBackend: Authenticate;
  readonly gateway: GatewayOptions | undefined;
}

/** Throws `invalid_option` for what is wrong with the credentials. */
export function registerMcpRoutes(app: FastifyInstance, edge: Edge, { token, isBackend, gateway }: McpAccess): void {
  const { limits } = edge.supervisor;
  const { credentials = [] } = gateway === undefined ? {} : requireGateway(gateway, limits);
  const authenticate = createAuthenticateSocket<FastifyRequest>(
    { token, authenticate: isBackend },
    credentials,
    limits,
  );
  const policies = new WeakMap<FastifyRequest, CredentialPolicy>();
  const onRequest = (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void => {
    const policy = authenticate(request);
    if (policy === null) return done(GreenroomError.of('unauthorized'));
    const refusal = refusalOf(request, edge, policy);
    if (refusal !== null) return done(refusal);
    policies.set(request, policy);
    done();
  };
  let loading: Promise<ServedTools> | null = null;
  const load = async (): Promise<ServedTools> => {
    const { ServedTools } = await import('../mcp/served.ts');
    return new ServedTools(edge.functions, edge.supervisor.identity.version, limits);
  };
  app.addHook('onClose', async () => (await loading)?.close());

  app.post(PATH, { onRequest }, async (request, reply) => {
    requireNoQuery(request);
    const startedAt = performance.now();
    const message = messageOf(request);
    const tools = await (loading ??= load());
    const policy = policies.get(request) as CredentialPolicy;
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const answer = await tools.answer(toWebRequest(request, gone.signal), message, {
      policy,
      invoke: invokerOf(edge, { request, reply, startedAt }),
    });
    reply.code(answer.status).headers(Object.fromEntries(answer.headers)).header('cache-control', 'no-store');
    return answer.body === null ? reply.send() : reply.send(Readable.fromWeb(answer.body));
  });
  app.route({
    method: OTHER_METHODS,
    url: PATH,
    onRequest,
    handler: () => {
      throw GreenroomError.of('method_not_allowed', { details: { allow: ['POST'] } });
    },
  });
}

/** In this order: whether we serve, where from, with which right. Who asks is known. */
function refusalOf({ headers }: FastifyRequest, edge: Edge, policy: CredentialPolicy): GreenroomError | null {
  if (edge.isClosing) return GreenroomError.of('runtime_unavailable');
  if (!isOwnOrigin(headers)) {
    return GreenroomError.of('forbidden', { message: 'Pages of other origins may not use the tools.' });
  }
  if (policy.mayUseMcp) return null;
  return GreenroomError.of('forbidden', { message: `Set \`mcp\` of the credential ${policy.name} to use the tools.` });
}

/**
 * Whether the request is from no page at all, or from one of this very host, called by an address or `localhost`: a name could have been made
 * to lead here by whoever owns it.
 */
function isOwnOrigin({ origin, host }: FastifyRequest['headers']): boolean {
  if (origin === undefined) return true;
  if (!URL.canParse(origin)) return false;
  const { host: from, hostname } = new URL(origin);
  return from === host?.toLowerCase() && (hostname === 'localhost' || isIP(hostname.replace(/^\[|\]$/g, '')) !== 0);
}

/** Throws `invalid_json` or `invalid_request`. */
function messageOf({ body }: FastifyRequest): unknown {
  if (!(body instanceof Uint8Array)) throw GreenroomError.of('invalid_json', { message: 'The body is empty.' });
  const message = parseUntrusted(body);
  // One request could make any number of calls at once; the protocol has given them up.
  if (Array.isArray(message)) throw GreenroomError.of('invalid_request', { message: 'Batches are not supported.' });
  return message;
}

/** The body has been read; only who asks for what kind of answer is left. */
function toWebRequest({ headers }: FastifyRequest, signal: AbortSignal): Request {
  const told = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    name === 'authorization' || value === undefined ? [] : [[name, String(value)]],
  );
  return new Request(`http://localhost${PATH}`, { method: 'POST', headers: told, signal });
}

/** A call ends with its client, with the server, or with its deadline. Throws `invalid_request` for a deadline that is none. */
function invokerOf(
  { functions, calls, supervisor }: Edge,
  {
    request,
    reply,
    startedAt,
  }: { readonly request: FastifyRequest; readonly reply: FastifyReply; readonly startedAt: number },
): ToolExchange['invoke'] {
  const { 'greenroom-deadline-ms': deadline, traceparent, baggage } = request.headers;
  const timeoutMs =
    deadline === undefined
      ? supervisor.limits.invocationTimeoutMs
      : requireDeadlineMs(String(deadline), 'greenroom-deadline-ms');
  return async (functionId, payload, onProgress) => {
    const output = await calls.wait(reply.raw, (signal) =>
      functions.call(functionId, {
        payload,
        metadata: null,
        caller: { workerId: null },
        timeoutMs: Math.max(1, timeoutMs - (performance.now() - startedAt)),
        signal,
        onProgress,
        ...(traceparent !== undefined && { traceparent: String(traceparent) }),
        ...(baggage !== undefined && { baggage: String(baggage) }),
      }),
    );
    countUnread(reply, output);
    return output;
  };
}
