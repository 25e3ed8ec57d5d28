// MCP over streamable HTTP: the library's transport, with a fetch of ours that goes only where the guard lets it, follows no redirect, counts
// every byte after it was inflated, and tells when an answer that somebody waits for has broken off, which the transport keeps to itself.

import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { fetch as undiciFetch } from 'undici';
import type { Dispatcher } from 'undici';
import type { Egress } from '../egress/egress.ts';
import { GreenroomError } from '../errors.ts';
import { requireSecret } from '../http/auth.ts';
import { FRAME_MARGIN_BYTES } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { invocationTooLarge } from '../protocol/payload.ts';
import { jittered, joined } from '../protocol/waits.ts';
import { FIRST_STREAM_PAUSE_MS, MAX_ERROR_BODY_BYTES, MAX_RESUMED_STREAMS, MAX_STREAM_PAUSE_MS } from './bounds.ts';
import { notConnected } from './failures.ts';
import { watchBody } from './http-body.ts';
import type { HttpSettings } from './settings.ts';

/** Tells our fetch which call a request is for; never sent. */
export const CALL_HEADER = 'x-greenroom-call';

/** A call that somebody waits for. */
export interface OpenCall {
  /** Aborted when the call has been settled: nobody reads the rest. */
  readonly settled: AbortSignal;
  /** The answer has ended; if it has not been given by then, it never will. */
  answerEnded(): void;
  fail(error: GreenroomError): void;
}

export interface HttpParts {
  readonly settings: HttpSettings;
  readonly egress: Egress;
  readonly limits: Limits;
  /** By what its requests have in CALL_HEADER. */
  readonly calls: ReadonlyMap<string, OpenCall>;
  /** A request found nobody: is the server still there? */
  onUnreachable(): void;
  /** The server does not know the session any more, or holds open what nobody waits for. */
  onSessionLost(): void;
}

/** Rejects with `url_validation_failed` or `token_not_found`, before anything is sent. */
export async function createHttpTransport(
  parts: HttpParts,
  signal: AbortSignal,
): Promise<StreamableHTTPClientTransport> {
  const { settings, egress } = parts;
  const url = await egress.check(settings.url, 'public', signal);
  requireToken(parts);
  const wire: Wire = { ...parts, dispatcher: withoutTimeouts(await egress.dispatcher(url, 'public')), resumed: 0 };
  return new StreamableHTTPClientTransport(url, {
    fetch: (target: string | URL, init?: RequestInit) => send(wire, target, init),
    requestInit: { headers: { ...settings.headers } },
    reconnectionOptions: {
      initialReconnectionDelay: FIRST_STREAM_PAUSE_MS,
      maxReconnectionDelay: MAX_STREAM_PAUSE_MS,
      reconnectionDelayGrowFactor: 2,
      // The connection decides when it is over; see onUnreachable.
      maxRetries: Infinity,
    },
    // The server may ask for any delay, and for none.
    reconnectionScheduler: (reconnect, delayMs) => {
      const pauseMs = Math.min(Math.max(delayMs, FIRST_STREAM_PAUSE_MS), MAX_STREAM_PAUSE_MS);
      const timer = setTimeout(reconnect, jittered(pauseMs));
      return () => clearTimeout(timer);
    },
  });
}

/** What the requests of one connection share. */
interface Wire extends HttpParts {
  readonly dispatcher: Dispatcher;
  /** Streams that were asked for again after they had broken off. */
  resumed: number;
}

async function send(wire: Wire, target: string | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  const call = wire.calls.get(headers.get(CALL_HEADER) ?? '');
  headers.delete(CALL_HEADER);
  const token = requireToken(wire);
  if (token !== null) headers.set('authorization', `Bearer ${token}`);
  const { signal, release: letGo } = joined([init.signal, call?.settled]);
  const isResumed = headers.has('last-event-id');
  if (isResumed && ++wire.resumed > MAX_RESUMED_STREAMS) wire.onSessionLost();
  const release = (): void => {
    letGo();
    if (isResumed) wire.resumed--;
  };
  const request = { ...init, headers: [...headers], dispatcher: wire.dispatcher, signal, redirect: 'manual' };
  let response: Response;
  try {
    // The types of Node's own fetch and of the package's are the same in all but name.
    response = await undiciFetch(target, request as unknown as Parameters<typeof undiciFetch>[1]);
  } catch (thrown) {
    release();
    if (signal.aborted) throw thrown;
    throw unreachable(thrown, wire);
  }
  if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
    release();
    await response.body?.cancel();
    throw GreenroomError.of('http_error', {
      message: 'The MCP server answered with a redirect, which is not followed.',
      details: { status: response.status },
    });
  }
  if (response.status === 404 && headers.has('mcp-session-id')) {
    call?.fail(notConnected());
    wire.onSessionLost();
  }
  return bounded(response, wire, { call, release });
}

/** The same response with a body that is counted. */
function bounded(
  response: Response,
  { limits }: HttpParts,
  { call, release }: { readonly call: OpenCall | undefined; readonly release: () => void },
): Response {
  if (response.body === null) {
    release();
    return response;
  }
  const isStream = response.headers.get('content-type')?.toLowerCase().startsWith('text/event-stream') ?? false;
  const maxBytes = response.ok ? limits.maxMessageBytes + FRAME_MARGIN_BYTES : MAX_ERROR_BODY_BYTES;
  const body = watchBody(response.body, {
    isStream,
    maxBytes,
    tooLarge: (bytes) => {
      const error = invocationTooLarge(bytes, limits.maxMessageBytes);
      call?.fail(error);
      return error;
    },
    // With an event id the transport asks for the rest of the stream.
    ended: (isResumable) => {
      release();
      if (!isResumable) call?.answerEnded();
    },
  });
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}

function unreachable(thrown: unknown, parts: HttpParts): GreenroomError {
  for (let error = thrown; error instanceof Error; error = error.cause)
    if (error instanceof GreenroomError) return error;
  parts.onUnreachable();
  return GreenroomError.of('http_request_failed', { cause: thrown });
}

function requireToken({ settings: { tokenVariable }, egress }: HttpParts): string | null {
  return tokenVariable === null ? null : requireSecret({ type: 'bearer', token_key: tokenVariable }, egress);
}

/** Streams are silent for as long as nothing happens; calls have a deadline of their own. */
function withoutTimeouts(dispatcher: Dispatcher): Dispatcher {
  return dispatcher.compose(
    (dispatch) => (options, handler) => dispatch({ ...options, bodyTimeout: 0, headersTimeout: 0 }, handler),
  );
}
