// Every failure that leaves the HTTP edge, in one envelope: ours, the framework's and those of malformed HTTP.
// What is not ours becomes `internal`: it is described in the log and never told to the caller.

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GreenroomError } from '../errors.ts';
import type { ErrorCode, WireError } from '../errors.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import { LINGER_MS } from './bounds.ts';
import { hasLongRest, lingeringAnswer } from './linger.ts';
import { isLongUpload } from './long-uploads.ts';
import { JSON_TYPE } from './reply.ts';

const FRAMEWORK_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_MAX_PARAM_LENGTH: 'invalid_worker_id',
  FST_ERR_NOT_FOUND: 'route_not_found',
};

/** Answers a request with an error. Also the scope's error handler: hooks, parsers and handlers all end here. */
export function sendError(request: FastifyRequest, reply: FastifyReply, thrown: unknown, log: Logger): FastifyReply {
  const error = toEdgeError(thrown);
  logInternal(request, error, log);
  const { retry_after_ms: retryAfterMs, allow } = error.details ?? {};
  if (error.status === 401) reply.header('www-authenticate', 'Bearer');
  if (Array.isArray(allow)) reply.header('allow', allow.join(', '));
  // Whole seconds, rounded up: earlier would be refused again.
  if (typeof retryAfterMs === 'number')
    reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  reply.code(error.status).header('content-type', JSON_TYPE).header('cache-control', 'no-store');
  const answer = JSON.stringify(envelope(error));
  if (request.method === 'HEAD' || !hasLongRest(request.raw)) {
    // The framework closes whenever a parser fails; what is left of this body is too short to matter.
    return reply.removeHeader('connection').send(answer);
  }
  reply.header('connection', 'close').header('content-length', String(Buffer.byteLength(answer)));
  return reply.send(lingeringAnswer(request.raw, answer));
}

/** The same envelope for one line of a batch. */
export function lineError(request: FastifyRequest, thrown: unknown, log: Logger): string {
  const error = toEdgeError(thrown);
  logInternal(request, error, log);
  return JSON.stringify(envelope(error));
}

function logInternal(request: FastifyRequest, error: GreenroomError, log: Logger): void {
  if (error.code !== 'internal') return;
  log.error(
    { ...describeError(error.cause ?? error), method: request.method, route: request.routeOptions.url },
    'request failed',
  );
}

function envelope(error: GreenroomError): { error: WireError } {
  // Whoever made it may have put a cause into its message; callers get the row of the table.
  return { error: (error.code === 'internal' ? GreenroomError.of('internal') : error).toWire() };
}

function toEdgeError(thrown: unknown): GreenroomError {
  if (thrown instanceof GreenroomError) return thrown;
  const { code, statusCode } = (thrown ?? {}) as { code?: unknown; statusCode?: unknown };
  const known = typeof code === 'string' ? FRAMEWORK_CODES[code] : undefined;
  if (known !== undefined) return GreenroomError.of(known);
  const isCallersFault = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
  if (isCallersFault) return GreenroomError.of('invalid_request', { status: statusCode, cause: thrown });
  return GreenroomError.of('internal', { cause: thrown });
}

// --- malformed HTTP: there is no request to answer, only a socket ---

/** `clientError` of the server. Never throws; the connection ends. */
export function answerMalformed(error: Error & { code?: string }, socket: Socket): void {
  // Bounded line by line.
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && isLongUpload(socket)) return;
  // Answered already: what still arrives is thrown away until the client closes or the timer below does.
  if (socket.writableEnded) return;
  // As Node's own default does: an answer that has begun cannot be mended, and a reset socket cannot be written to.
  const underway = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage;
  if (error.code === 'ECONNRESET' || !socket.writable || underway?.headersSent === true) {
    socket.destroy();
    return;
  }
  const refusal = malformed(error.code);
  const body = JSON.stringify(envelope(refusal));
  const head = `HTTP/1.1 ${refusal.status} ${REASONS[refusal.status] ?? 'Bad Request'}\r\ncontent-type: ${JSON_TYPE}\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

const REASONS: Readonly<Record<number, string>> = {
  408: 'Request Timeout',
  413: 'Payload Too Large',
  431: 'Request Header Fields Too Large',
};

function malformed(code: string | undefined): GreenroomError {
  if (code === 'HPE_HEADER_OVERFLOW') return GreenroomError.of('headers_too_large');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') {
    return GreenroomError.of('payload_too_large', { message: 'The chunk extensions are too large.' });
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return GreenroomError.of('timeout', { status: 408, message: 'The request did not arrive in time.' });
  }
  return GreenroomError.of('invalid_request', { message: 'The request is not valid HTTP.' });
}
