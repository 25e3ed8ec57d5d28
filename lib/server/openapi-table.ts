// Every route of this API in a row: what it takes and what it answers with. The schemas of queries and bodies are those that the routes
// check with. A test holds the rows to the routes that a server has, so a new route is a new row here.

import * as v from 'valibot';
import type { ErrorCode } from '../errors.ts';
import { HttpFunctionBody } from '../http/registration.ts';
import { CreateChannelBody, KeyQuery } from './channel-routes.ts';
import { FunctionsQuery } from './function-routes.ts';
import { DrainBody } from './runtime-routes.ts';
import { DEAD_LETTERS } from './openapi-dead-letters.ts';
import { CreateSourceBody, CreateSourceQuery, SourcesQuery } from './source-routes.ts';
import { TranscriptQuery } from './transcript-routes.ts';
import * as views from './view-schemas.ts';
import { CancelBody, CreateWorkerBody, DeleteWorkerQuery, StopBody, WorkersQuery } from './worker-routes.ts';

/** What is not JSON. */
export type MediaType = 'application/x-ndjson' | 'application/octet-stream' | 'text/event-stream';

export interface RouteRow {
  readonly route: `${'GET' | 'POST' | 'PUT' | 'DELETE'} /${string}`;
  /** Unique, and stable: clients are generated from it. */
  readonly id: string;
  readonly summary: string;
  readonly query?: v.GenericSchema;
  readonly headers?: readonly (keyof typeof HEADERS)[];
  readonly body?: { readonly schema: v.GenericSchema; readonly isRequired: boolean } | MediaType;
  /** By status; JSON, or what it is instead; null: nothing. */
  readonly answers: Readonly<Record<number, v.GenericSchema | MediaType | null>>;
  /** Beside those that every route has; see `errorsOf`. */
  readonly errors?: readonly ErrorCode[];
  /** No credential is needed. */
  readonly isOpen?: true;
}

export const HEADERS = {
  prefer: 'RFC 7240: `wait=SECONDS` answers with the outcome if there is one by then.',
  'prefer-async': 'RFC 7240: `respond-async` answers at once; the outcome is only in the log.',
  'greenroom-deadline-ms': 'Milliseconds from now after which it is no longer wanted.',
  'greenroom-durability':
    '`durable` is acknowledged when it is on disk, `volatile` is kept in memory only. Default: as the actor says.',
  'greenroom-metadata': 'One JSON value in ASCII that goes along with the payload.',
  'idempotency-key': 'A repeated request with the same key is the same input.',
  traceparent: 'W3C trace context, passed through.',
  baggage: 'W3C baggage, passed through.',
} as const;

const worker = v.object({ worker: views.Worker });
const one = <Noun extends string>(noun: Noun, schema: v.GenericSchema) => v.object({ [noun]: schema });
const health = (status: string) => one('health', v.object({ status: v.literal(status) }));

const WORKER: readonly ErrorCode[] = ['invalid_worker_id', 'worker_not_found', 'unsupported_operation'];
const STATE: readonly ErrorCode[] = ['worker_stopping', 'worker_stopped', 'worker_failed'];
const INPUT: readonly ErrorCode[] = [...WORKER, ...STATE, 'worker_busy', 'runtime_overloaded'];
const EGRESS: readonly ErrorCode[] = [
  'url_validation_failed',
  'secret_not_found',
  'token_not_found',
  'api_key_not_found',
];
const READING: readonly ErrorCode[] = [
  ...EGRESS,
  'invalid_source',
  'http_error',
  'http_request_failed',
  'http_response_failed',
  'timeout',
  'cancelled',
];
/** What a function that is called over HTTP, or a tool, may answer with. */
const CALLING_OUT: readonly ErrorCode[] = [
  ...EGRESS,
  'http_error',
  'http_request_failed',
  'http_response_failed',
  'invalid_response',
  'tool_failed',
];
const CHANNEL: readonly ErrorCode[] = ['channel_not_found', 'channel_taken'];

const WORKERS: readonly RouteRow[] = [
  {
    route: 'GET /v1/workers',
    id: 'listWorkers',
    summary: 'Workers, remotes and groups, ascending by id',
    query: WorkersQuery,
    answers: {
      200: v.object({
        workers: v.array(v.union([views.WorkerSummary, views.PeerSummary])),
        next_after: v.nullable(v.string()),
      }),
    },
  },
  {
    route: 'POST /v1/workers',
    id: 'createWorker',
    summary: 'Creates a worker, or finds the one that the same request created',
    body: { schema: CreateWorkerBody, isRequired: true },
    answers: { 200: worker, 201: worker },
    errors: ['actor_not_found', 'invalid_worker_id', 'worker_exists', 'runtime_overloaded'],
  },
  {
    route: 'GET /v1/workers/{worker_id}',
    id: 'getWorker',
    summary: 'One worker, remote or group',
    answers: { 200: one('worker', v.union([views.Worker, views.Peer])) },
    errors: ['invalid_worker_id', 'worker_not_found'],
  },
  {
    route: 'DELETE /v1/workers/{worker_id}',
    id: 'deleteWorker',
    summary: 'Deletes a worker with its state and transcript',
    query: DeleteWorkerQuery,
    answers: { 200: worker },
    errors: [...WORKER, 'worker_active', 'worker_stopping'],
  },
  {
    route: 'POST /v1/workers/{worker_id}/cancel',
    id: 'cancelInput',
    summary: 'Cancels an input, or the one that runs',
    body: { schema: CancelBody, isRequired: false },
    answers: { 200: one('ack', views.CancelAck) },
    errors: [...WORKER, 'input_not_found'],
  },
  {
    route: 'POST /v1/workers/{worker_id}/stop',
    id: 'stopWorker',
    summary: 'Stops a worker; answers when it has stopped',
    body: { schema: StopBody, isRequired: false },
    answers: { 200: one('ack', views.StopAck) },
    errors: WORKER,
  },
  {
    route: 'POST /v1/workers/{worker_id}/restore',
    id: 'restoreWorker',
    summary: 'Starts a worker that is stopped or has failed, with its state',
    answers: { 200: worker },
    errors: [...WORKER, 'worker_active', 'worker_stopping'],
  },
  {
    route: 'GET /v1/workers/{worker_id}/transcript',
    id: 'readTranscript',
    summary: 'What has happened to a worker, page by page',
    query: TranscriptQuery,
    answers: { 200: one('transcript', views.TranscriptPage) },
    errors: [...WORKER, 'transcript_trimmed'],
  },
];

const INPUTS: readonly RouteRow[] = [
  {
    route: 'POST /v1/workers/{worker_id}/input',
    id: 'sendInput',
    summary: 'Sends an input: any JSON that the actor accepts',
    headers: ['prefer', 'greenroom-deadline-ms', 'greenroom-durability', 'idempotency-key'],
    body: { schema: v.unknown(), isRequired: true },
    answers: { 200: one('result', views.InputResult), 202: one('ack', views.Receipt) },
    errors: [...INPUT, 'invalid_input', 'idempotency_conflict'],
  },
  {
    route: 'POST /v1/workers/{worker_id}/inputs',
    id: 'sendInputs',
    summary: 'Sends many inputs, one per line; answers one receipt or error per line',
    headers: ['prefer', 'greenroom-deadline-ms', 'greenroom-durability'],
    body: 'application/x-ndjson',
    answers: { 200: 'application/x-ndjson' },
    errors: WORKER,
  },
  {
    route: 'POST /v1/inputs',
    id: 'sendInputsToMany',
    summary:
      'Sends inputs to many workers, one `{worker_id, input, idempotency_key?, deadline_ms?, durability?}` per line',
    headers: ['prefer', 'greenroom-deadline-ms', 'greenroom-durability'],
    body: 'application/x-ndjson',
    answers: { 200: 'application/x-ndjson' },
  },
  {
    route: 'GET /v1/workers/{worker_id}/inputs/{input_id}',
    id: 'getInput',
    summary: 'Where an input stands, or how it ended',
    answers: { 200: one('input', views.InputView) },
    errors: [...WORKER, 'input_not_found'],
  },
];

const FUNCTIONS: readonly RouteRow[] = [
  {
    route: 'GET /v1/functions',
    id: 'listFunctions',
    summary: 'Functions, ascending by id, whoever serves them',
    query: FunctionsQuery,
    answers: { 200: v.object({ functions: v.array(views.FunctionView), next_after: v.nullable(v.string()) }) },
  },
  {
    route: 'GET /v1/functions/{function_id}',
    id: 'getFunction',
    summary: 'One function',
    answers: { 200: one('function', views.FunctionView) },
    errors: ['function_not_found'],
  },
  {
    route: 'PUT /v1/functions/{function_id}',
    id: 'registerFunction',
    summary: 'Registers a function that the runtime calls over HTTP, or replaces it',
    body: { schema: HttpFunctionBody, isRequired: true },
    answers: { 200: one('function', views.FunctionView), 201: one('function', views.FunctionView) },
    errors: [...EGRESS, 'function_exists', 'worker_exists', 'runtime_overloaded', 'cancelled'],
  },
  {
    route: 'DELETE /v1/functions/{function_id}',
    id: 'unregisterFunction',
    summary: 'Takes back a function that was registered like that',
    answers: { 200: one('function', views.FunctionView) },
    errors: ['function_not_found', 'unsupported_operation'],
  },
  {
    route: 'POST /v1/functions/{function_id}/invoke',
    id: 'invokeFunction',
    summary: 'Calls a function; the body is its payload. It may fail with a code of its own, too',
    headers: ['prefer-async', 'greenroom-deadline-ms', 'greenroom-metadata', 'traceparent', 'baggage'],
    body: { schema: v.unknown(), isRequired: false },
    answers: {
      200: one('result', v.object({ function_id: v.string(), output: v.unknown() })),
      202: one('ack', v.object({ function_id: v.string(), status: v.literal('accepted') })),
    },
    errors: [
      'function_not_found',
      'invalid_input',
      'deserialization_error',
      'worker_busy',
      'runtime_overloaded',
      'timeout',
      'cancelled',
      'forbidden',
      'invocation_failed',
      'invocation_stopped',
      'invocation_failed_payload_too_large',
      ...CALLING_OUT,
    ],
  },
];

const SOURCES: readonly RouteRow[] = [
  {
    route: 'GET /v1/sources',
    id: 'listSources',
    summary: 'Sources of functions, ascending by name',
    query: SourcesQuery,
    answers: { 200: v.object({ sources: v.array(views.SourceSummary), next_after: v.nullable(v.string()) }) },
  },
  {
    route: 'POST /v1/sources',
    id: 'createSource',
    summary: 'Makes functions of an OpenAPI document or an MCP server; with `dry_run` it only says which',
    query: CreateSourceQuery,
    body: { schema: CreateSourceBody, isRequired: true },
    answers: { 200: one('preview', views.SourcePreview), 201: one('source', views.SourceView) },
    errors: [...READING, 'function_exists', 'worker_exists', 'forbidden', 'runtime_overloaded'],
  },
  {
    route: 'GET /v1/sources/{name}',
    id: 'getSource',
    summary: 'One source, with what of it could not be mapped',
    answers: { 200: one('source', views.SourceView) },
    errors: ['not_found'],
  },
  {
    route: 'DELETE /v1/sources/{name}',
    id: 'deleteSource',
    summary: 'Takes a source and its functions away',
    answers: { 200: one('source', views.SourceView) },
    errors: ['not_found'],
  },
  {
    route: 'POST /v1/sources/{name}/refresh',
    id: 'refreshSource',
    summary: 'Reads a source again and applies what has changed, in one step',
    answers: { 200: one('source', views.SourceView) },
    errors: [...READING, 'not_found'],
  },
];

const TOOLS: readonly RouteRow[] = [
  {
    route: 'POST /v1/mcp',
    id: 'exchangeMcpMessage',
    summary: 'The functions as tools of an MCP server: one message of its streamable HTTP transport',
    body: { schema: v.unknown(), isRequired: true },
    answers: { 200: 'text/event-stream', 202: null },
    errors: ['forbidden'],
  },
];

const CHANNELS: readonly RouteRow[] = [
  {
    route: 'POST /v1/channels',
    id: 'createChannel',
    summary: 'Makes a channel, for more than a message can hold',
    body: { schema: CreateChannelBody, isRequired: false },
    answers: { 201: one('channel', views.Channel) },
    errors: ['runtime_overloaded'],
  },
  {
    route: 'PUT /v1/channels/{channel_id}',
    id: 'writeChannel',
    summary: 'Streams a body of any size into a channel',
    query: KeyQuery,
    body: 'application/octet-stream',
    answers: {
      200: one('channel', v.object({ channel_id: v.string(), bytes: v.number(), messages: v.number() })),
    },
    errors: [...CHANNEL, 'channel_closed'],
  },
  {
    route: 'GET /v1/channels/{channel_id}',
    id: 'readChannel',
    summary: 'Streams what arrives in a channel',
    query: KeyQuery,
    answers: { 200: 'application/octet-stream' },
    errors: CHANNEL,
  },
];

const RUNTIME: readonly RouteRow[] = [
  {
    route: 'GET /v1/runtime',
    id: 'getRuntime',
    summary: 'The runtime as a whole, with its limits',
    answers: { 200: one('runtime', views.RuntimeView) },
  },
  {
    route: 'GET /v1/hosts',
    id: 'listHosts',
    summary: 'What workers run on: threads and processes',
    answers: { 200: one('hosts', v.array(views.HostView)) },
  },
  {
    route: 'GET /v1/hosts/{host_id}',
    id: 'getHost',
    summary: 'One host, alive or one of the last that have ended',
    answers: { 200: one('host', views.HostDetail) },
    errors: ['not_found'],
  },
  {
    route: 'POST /v1/hosts/{host_id}/recycle',
    id: 'recycleHost',
    summary: 'Replaces a host by a new one that its workers move to',
    answers: { 202: one('host', views.HostDetail) },
    errors: ['not_found', 'unsupported_operation', 'runtime_unavailable'],
  },
  {
    route: 'POST /v1/runtime/drain',
    id: 'drainRuntime',
    summary: 'Refuses new work, lets what was accepted run until the deadline, ends the runtime, and reports',
    body: { schema: DrainBody, isRequired: false },
    answers: { 200: one('report', views.CloseReport) },
  },
  {
    route: 'GET /v1/actors',
    id: 'listActors',
    summary: 'What workers can be created, with schemas',
    answers: { 200: one('actors', v.array(views.ActorView)) },
  },
  {
    route: 'GET /v1/openapi.json',
    id: 'getOpenApi',
    summary: 'This document',
    answers: { 200: v.record(v.string(), v.unknown()) },
  },
  {
    route: 'GET /livez',
    id: 'isAlive',
    summary: 'The event loop turns',
    isOpen: true,
    answers: { 200: health('alive') },
  },
  {
    route: 'GET /readyz',
    id: 'isReady',
    summary: 'Inputs are accepted',
    isOpen: true,
    answers: { 200: health('ready') },
    errors: ['runtime_unavailable'],
  },
];

export const ROUTES: readonly RouteRow[] = [
  ...WORKERS,
  ...INPUTS,
  ...DEAD_LETTERS,
  ...FUNCTIONS,
  ...SOURCES,
  ...TOOLS,
  ...CHANNELS,
  ...RUNTIME,
];
