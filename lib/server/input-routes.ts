// The hot path: the body is the input. Its bytes go to the supervisor as they came, and the output comes back encoded;
// nothing in between parses either. The worker is asked for room before the body is read.

import type { FastifyReply, FastifyRequest } from 'fastify';
import type { GreenroomError } from '../errors.ts';
import type { Payload } from '../protocol/payload.ts';
import type { InputInfo, InputRecord } from '../supervisor/input.ts';
import { receiptOf } from '../supervisor/receipts.ts';
import type { Edge, RegisterRoutes } from './edge.ts';
import { sendError } from './errors.ts';
import { deliverOptionsOf, waitSecondsOf } from './input-headers.ts';
import { sendParts, sendText, timestamp } from './reply.ts';
import { requireNoQuery, workerIdOf } from './request.ts';
import type { WorkerParams } from './request.ts';
import type { Waiting } from './waits.ts';

const EMPTY = new Uint8Array();

export const registerInputRoutes: RegisterRoutes = (app, edge) => {
  const { supervisor } = edge;

  app.route({
    method: 'POST',
    url: '/v1/workers/:workerId/input',
    onRequest: (request, _reply, done) => {
      const workerId = workerIdOf(request);
      requireNoQuery(request);
      // A repeated request is answered whatever the worker's state is now; only `deliverBytes` can tell that it is one.
      if (request.headers['idempotency-key'] === undefined) supervisor.checkRoom(workerId);
      done();
    },
    handler: (request, reply) => {
      const { workerId } = request.params as WorkerParams;
      const body = request.body instanceof Uint8Array ? request.body : EMPTY;
      const accepted = supervisor.deliverBytes(workerId, body, deliverOptionsOf(request.headers));
      if (accepted instanceof Promise) answerLater(edge, request, reply, accepted);
      else answer(edge, request, reply, accepted);
    },
  });

  app.get('/v1/workers/:workerId/inputs/:inputId', (request, reply) => {
    const workerId = workerIdOf(request);
    requireNoQuery(request);
    const { inputId } = request.params as { inputId: string };
    return sendParts(reply, 200, inputParts(supervisor.input(workerId, inputId)));
  });
};

/** A large input is checked in its worker's host, so its acceptance takes a turn of the loop or more. */
function answerLater(edge: Edge, request: FastifyRequest, reply: FastifyReply, accepted: Promise<InputRecord>): void {
  accepted
    .then((record) => answer(edge, request, reply, record))
    .catch((error: unknown) => {
      sendError(request, reply, error, edge.log);
    });
}

function answer(edge: Edge, request: FastifyRequest, reply: FastifyReply, record: InputRecord): void {
  const waitSeconds = waitSecondsOf(request.headers.prefer);
  if (waitSeconds === undefined && record.isAccepted) {
    sendText(reply, 202, ackText(record));
    return;
  }
  if (waitSeconds !== undefined) reply.header('preference-applied', `wait=${waitSeconds}`);
  const waitMs = waitSeconds === undefined || edge.isClosing ? 0 : waitSeconds * 1000;
  edge.waits.start(record, waitMs, reply.raw, new InputAnswer(edge, request, reply, record, waitSeconds !== undefined));
}

class InputAnswer implements Waiting {
  readonly #edge: Edge;
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #record: InputRecord;
  readonly #takesOutcome: boolean;
  #ack = '';

  constructor(edge: Edge, request: FastifyRequest, reply: FastifyReply, record: InputRecord, takesOutcome: boolean) {
    this.#edge = edge;
    this.#request = request;
    this.#reply = reply;
    this.#record = record;
    this.#takesOutcome = takesOutcome;
  }

  /** The ack is made now, not when the wait is over: it says where the input stood when it was accepted. */
  accepted(): void {
    if (this.#record.outcome === null || !this.#takesOutcome) this.#ack = ackText(this.#record);
  }

  done(): void {
    try {
      if (this.#record.outcome === null || !this.#takesOutcome) sendText(this.#reply, 202, this.#ack);
      else sendParts(this.#reply, 200, ['{"result":{', ...resultParts(this.#record), '}}']);
    } catch (error) {
      // We are called from the end of an input, by the store or from a timer: none of them may fail because of one reply.
      sendError(this.#request, this.#reply, error, this.#edge.log);
    }
  }

  failed(error: GreenroomError): void {
    sendError(this.#request, this.#reply, error, this.#edge.log);
  }
}

// --- texts. Ids, statuses and outcomes are of alphabets that need no escaping in JSON ---

/** What the sender of an accepted input gets. */
export function ackText(record: InputRecord): string {
  const { workerId, inputId, status, position, durability } = receiptOf(record);
  return `{"ack":{"worker_id":"${workerId}","input_id":"${inputId}","status":"${status}","position":${position},"durability":"${durability}"}}`;
}

/** The fields of an ended input; `output` and `error` as the outcome has them, times last. */
function resultParts(record: InputInfo): Payload[] {
  const { inputId, outcome, output, error, startedAtMs, endedAtMs } = record;
  const parts: Payload[] = [`"input_id":"${inputId}","outcome":"${outcome}"`];
  if (output !== null) parts.push(',"output":', output);
  if (error !== null) parts.push(`,"error":${JSON.stringify(error)}`);
  parts.push(
    startedAtMs === 0 ? '' : `,"started_at":"${timestamp(startedAtMs)}"`,
    `,"ended_at":"${timestamp(endedAtMs)}"`,
  );
  return parts;
}

function inputParts(record: InputInfo): Payload[] {
  const { workerId, inputId, outcome, status, attempt, acceptedAtMs } = record;
  const common = `"worker_id":"${workerId}","status":"${status}","attempt":${attempt},"accepted_at":"${timestamp(acceptedAtMs)}"`;
  if (outcome !== null) return [`{"input":{${common},`, ...resultParts(record), '}}'];
  return [`{"input":{${common},"input_id":"${inputId}"}}`];
}
