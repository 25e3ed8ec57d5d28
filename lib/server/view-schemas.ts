// What the routes answer with, as schemas: the views of lib/protocol/views.ts as they are on the wire. They describe, and check nothing at
// run time; tests hold them to the types of the views and to what a running server answers.

import * as v from 'valibot';
import { DEFAULT_LIMITS } from '../limits.ts';
import {
  AWAKE_REASONS,
  DURABILITIES,
  ENTRY_TYPES,
  HOST_STATUSES,
  ISOLATIONS,
  OUTCOMES,
  PEER_STATUSES,
  SOURCE_STATUSES,
  VERDICTS,
  WORKER_STATUSES,
  toSnakeCase,
} from '../protocol/views.ts';

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const timestamp = v.pipe(v.string(), v.isoTimestamp());
const text = v.string();
const textOrNull = v.nullable(text);
const load = v.object({ messages: count, bytes: count });
const workerStatus = v.picklist(WORKER_STATUSES);
const outcome = v.picklist(OUTCOMES);
const durability = v.picklist(DURABILITIES);

/** The value of `error` in every answer that is one. */
export const WireError = v.object({
  code: text,
  message: text,
  retryable: v.boolean(),
  details: v.exactOptional(v.record(v.string(), v.unknown())),
});

export const WorkerSummary = v.object({
  worker_id: text,
  origin: v.literal('actor'),
  kind: text,
  display_name: textOrNull,
  status: workerStatus,
  created_at: timestamp,
  mailbox: load,
});

export const Worker = v.object({
  ...WorkerSummary.entries,
  config: v.unknown(),
  host_id: textOrNull,
  isolation: v.picklist(ISOLATIONS),
  parent_id: textOrNull,
  restarts: count,
  running: v.nullable(v.object({ input_id: text, age_ms: v.number(), attempt: count })),
  failure: v.nullable(WireError),
  deaths: v.array(v.object({ at: timestamp, cause: text, host_id: textOrNull })),
  awake: v.nullable(
    v.object({
      reasons: v.array(v.picklist(AWAKE_REASONS)),
      kept: v.array(text),
      hibernates_at: v.nullable(timestamp),
    }),
  ),
  first_sequence: count,
  last_sequence: count,
});

export const PeerSummary = v.object({
  worker_id: text,
  origin: v.picklist(['remote', 'group']),
  kind: v.null(),
  display_name: textOrNull,
  status: v.picklist(PEER_STATUSES),
  created_at: timestamp,
  mailbox: load,
  functions: count,
  runtime: textOrNull,
  version: textOrNull,
  connected_at: timestamp,
  in_flight: count,
  disconnect_reason: textOrNull,
});

export const Peer = v.object({
  ...PeerSummary.entries,
  description: textOrNull,
  os: textOrNull,
  pid: v.nullable(v.number()),
  isolation: textOrNull,
  address: textOrNull,
  late_results: count,
  refused: v.array(v.object({ function_id: text, code: text })),
});

export const FunctionView = v.object({
  function_id: text,
  origin: v.picklist(['actor', 'remote', 'group', 'runtime']),
  worker_id: text,
  worker_name: text,
  description: textOrNull,
  request_format: v.unknown(),
  response_format: v.unknown(),
  metadata: v.unknown(),
});

export const Receipt = v.object({
  worker_id: text,
  input_id: text,
  status: workerStatus,
  position: count,
  durability,
});

export const InputResult = v.object({
  input_id: text,
  outcome,
  output: v.exactOptional(v.unknown()),
  error: v.exactOptional(WireError),
  started_at: v.exactOptional(timestamp),
  ended_at: timestamp,
});

export const DeadLetterSummary = v.object({
  input_id: text,
  worker_id: text,
  kind: text,
  attempts: count,
  bytes: count,
  error: WireError,
  accepted_at: timestamp,
  ended_at: timestamp,
});

export const DeadLetterView = v.object({ ...DeadLetterSummary.entries, payload: v.unknown() });

export const InputView = v.object({
  ...InputResult.entries,
  outcome: v.exactOptional(outcome),
  ended_at: v.exactOptional(timestamp),
  worker_id: text,
  status: v.picklist(['waiting', 'running', 'ended']),
  attempt: count,
  accepted_at: timestamp,
});

export const CancelAck = v.object({
  worker_id: text,
  status: workerStatus,
  effect: v.picklist(['none', 'removed', 'aborting', 'ended']),
  input_id: v.exactOptional(text),
  outcome: v.exactOptional(outcome),
});

export const StopAck = v.object({
  worker_id: text,
  status: workerStatus,
  drained: count,
  cancelled: count,
  refused: count,
  children: v.exactOptional(count),
  reason: v.exactOptional(text),
});

export const TranscriptPage = v.object({
  worker_id: text,
  first_sequence: count,
  items: v.array(
    v.object({
      sequence: count,
      at: timestamp,
      type: v.picklist(ENTRY_TYPES),
      input_id: v.exactOptional(text),
      data: v.unknown(),
    }),
  ),
  next_after: count,
  has_more: v.boolean(),
});

export const ActorView = v.object({
  kind: text,
  description: textOrNull,
  input_schema: v.unknown(),
  config_schema: v.unknown(),
  output_schema: v.unknown(),
  isolation: v.picklist(ISOLATIONS),
  durability,
  mailbox: v.object({ capacity: count, max_bytes: count }),
  idle_after_ms: count,
  functions: v.array(
    v.object({ function_id: text, description: textOrNull, input_schema: v.unknown(), output_schema: v.unknown() }),
  ),
});

const sourceSummary = {
  name: text,
  type: text,
  title: textOrNull,
  status: v.picklist(SOURCE_STATUSES),
  error: textOrNull,
  functions: count,
  created_at: timestamp,
  refreshed_at: v.nullable(timestamp),
  last_change: v.nullable(v.object({ added: count, changed: count, removed: count, unchanged: count })),
  unmapped_total: count,
};
const unmapped = v.array(v.object({ operation: text, reason: text, is_served: v.boolean() }));

export const SourceSummary = v.object(sourceSummary);
export const SourceView = v.object({ ...sourceSummary, unmapped });

export const SourcePreview = v.object({
  name: text,
  type: text,
  title: textOrNull,
  functions: v.array(
    v.object({
      function_id: text,
      description: textOrNull,
      request_format: v.unknown(),
      response_format: v.unknown(),
    }),
  ),
  formats_omitted: count,
  unmapped,
  unmapped_total: count,
});

export const HostView = v.object({
  host_id: text,
  isolation: v.picklist(ISOLATIONS),
  status: v.picklist(HOST_STATUSES),
  verdict: v.picklist(VERDICTS),
  workers: count,
  utilization: v.number(),
  heap_bytes: count,
  external_bytes: count,
  handled: count,
  started_at: timestamp,
});

const KillCertificate = v.object({
  host_id: text,
  reason: text,
  verdict: v.picklist(VERDICTS),
  ordered_at: timestamp,
  took_ms: v.nullable(v.number()),
  evidence: v.object({
    utilization: v.number(),
    heap_bytes: count,
    external_bytes: count,
    silent_ms: v.number(),
    cpu_ms: v.nullable(v.number()),
    running: v.array(v.object({ worker_id: text, input_id: text, age_ms: v.number() })),
  }),
  culprits: v.array(text),
  workers_hit: count,
  inputs: v.array(
    v.object({
      worker_id: text,
      input_id: text,
      became: v.picklist(['unknown', 'again', 'waiting', 'cancelled', 'failed', 'poison']),
    }),
  ),
});

export const HostDetail = v.object({
  ...HostView.entries,
  ended_at: v.nullable(timestamp),
  certificate: v.nullable(KillCertificate),
});

export const RuntimeView = v.object({
  runtime_id: text,
  display_name: textOrNull,
  version: text,
  status: v.picklist(['running', 'draining', 'stopped']),
  store: text,
  storage: v.nullable(
    v.object({
      file_bytes: count,
      pending_bytes: count,
      journal_bytes: count,
      commits: count,
      commit_ms: v.object({ p50: v.number(), p99: v.number() }),
    }),
  ),
  uptime_ms: v.number(),
  workers: v.object({
    total: count,
    ...(Object.fromEntries(WORKER_STATUSES.map((status) => [status, v.exactOptional(count)])) as Record<
      (typeof WORKER_STATUSES)[number],
      v.ExactOptionalSchema<typeof count, undefined>
    >),
  }),
  hosts: v.array(HostView),
  mailbox: load,
  functions: count,
  remotes: v.object({ connected: count }),
  sources: v.object({ total: count, failed: count }),
  limits: v.object(Object.fromEntries(Object.keys(toSnakeCase(DEFAULT_LIMITS) as object).map((name) => [name, count]))),
});

export const CloseReport = v.object({
  finished: count,
  refused: count,
  cancelled: count,
  killed: count,
  kept: count,
  unclean: v.array(v.object({ worker_id: text, reason: text })),
  unclean_total: count,
});

const channelEnd = <Direction extends 'read' | 'write'>(direction: Direction) =>
  v.object({ channel_id: text, access_key: text, direction: v.literal(direction) });

export const Channel = v.object({ channel_id: text, reader: channelEnd('read'), writer: channelEnd('write') });
