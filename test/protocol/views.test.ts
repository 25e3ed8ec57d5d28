import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../lib/limits.ts';
import { ENTRY_TYPES, OUTCOMES, toCamelCase, toSnakeCase, WORKER_STATUSES } from '../../lib/protocol/views.ts';
import type { InputView, RuntimeView, WorkerView } from '../../lib/protocol/views.ts';
import { seeded } from '../support/seeded.ts';

const AT = '2026-01-02T03:04:05.678Z';
/** A user's own keys, in every style: nobody touches them. */
const USERS = { camelCase: { innerKey: 1 }, snake_case: [{ a_b: { cD: 2 } }], 'Any-Thing': null };

const WORKER: WorkerView = {
  workerId: 'w_1',
  origin: 'actor',
  kind: 'counterActor',
  displayName: 'my_workerName',
  status: 'running',
  createdAt: AT,
  mailbox: { messages: 2, bytes: 20 },
  config: USERS,
  hostId: 'host-1',
  isolation: 'shared',
  parentId: null,
  restarts: 1,
  running: { inputId: 'in_1', ageMs: 5, attempt: 1 },
  failure: { code: 'host_lost', message: 'someMessage with_both', retryable: false, details: USERS },
  deaths: [{ at: AT, cause: 'threw', hostId: 'host-1' }],
  awake: { reasons: ['inputs'], kept: ['a_socket isOpen'], hibernatesAt: AT },
  firstSequence: 3,
  lastSequence: 9,
};

const WORKER_ON_WIRE = {
  worker_id: 'w_1',
  origin: 'actor',
  kind: 'counterActor',
  display_name: 'my_workerName',
  status: 'running',
  created_at: AT,
  mailbox: { messages: 2, bytes: 20 },
  config: USERS,
  host_id: 'host-1',
  isolation: 'shared',
  parent_id: null,
  restarts: 1,
  running: { input_id: 'in_1', age_ms: 5, attempt: 1 },
  failure: { code: 'host_lost', message: 'someMessage with_both', retryable: false, details: USERS },
  deaths: [{ at: AT, cause: 'threw', host_id: 'host-1' }],
  awake: { reasons: ['inputs'], kept: ['a_socket isOpen'], hibernates_at: AT },
  first_sequence: 3,
  last_sequence: 9,
};

const INPUT: InputView = {
  workerId: 'w1',
  inputId: 'in-1',
  status: 'ended',
  outcome: 'completed',
  output: USERS,
  attempt: 1,
  acceptedAt: AT,
  startedAt: AT,
  endedAt: AT,
};

const INPUT_ON_WIRE = {
  worker_id: 'w1',
  input_id: 'in-1',
  status: 'ended',
  outcome: 'completed',
  output: USERS,
  attempt: 1,
  accepted_at: AT,
  started_at: AT,
  ended_at: AT,
};

const RUNTIME: RuntimeView = {
  runtimeId: 'r1',
  displayName: null,
  version: '0.1.0',
  status: 'running',
  store: 'lmdb',
  storage: { fileBytes: 1, pendingBytes: 2, journalBytes: 3, commits: 4, commitMs: { p50: 5, p99: 6 } },
  uptimeMs: 1,
  workers: { total: 3, idle: 1, hibernated: 2 },
  hosts: [
    {
      hostId: 'host-1',
      isolation: 'shared',
      status: 'ready',
      verdict: 'progressing',
      workers: 3,
      utilization: 0.5,
      heapBytes: 7,
      externalBytes: 8,
      handled: 9,
      startedAt: AT,
    },
  ],
  mailbox: { messages: 0, bytes: 0 },
  functions: 4,
  remotes: { connected: 2 },
  sources: { total: 2, failed: 1 },
  limits: DEFAULT_LIMITS,
};

const RUNTIME_ON_WIRE = {
  runtime_id: 'r1',
  display_name: null,
  version: '0.1.0',
  status: 'running',
  store: 'lmdb',
  storage: { file_bytes: 1, pending_bytes: 2, journal_bytes: 3, commits: 4, commit_ms: { p50: 5, p99: 6 } },
  uptime_ms: 1,
  workers: { total: 3, idle: 1, hibernated: 2 },
  hosts: [
    {
      host_id: 'host-1',
      isolation: 'shared',
      status: 'ready',
      verdict: 'progressing',
      workers: 3,
      utilization: 0.5,
      heap_bytes: 7,
      external_bytes: 8,
      handled: 9,
      started_at: AT,
    },
  ],
  mailbox: { messages: 0, bytes: 0 },
  functions: 4,
  remotes: { connected: 2 },
  sources: { total: 2, failed: 1 },
  limits: {
    max_message_bytes: DEFAULT_LIMITS.maxMessageBytes,
    max_total_bytes: DEFAULT_LIMITS.maxTotalBytes,
    max_workers: DEFAULT_LIMITS.maxWorkers,
    cancel_grace_ms: DEFAULT_LIMITS.cancelGraceMs,
    ask_timeout_ms: DEFAULT_LIMITS.askTimeoutMs,
    stop_timeout_ms: DEFAULT_LIMITS.stopTimeoutMs,
    start_timeout_ms: DEFAULT_LIMITS.startTimeoutMs,
    max_receipts: DEFAULT_LIMITS.maxReceipts,
    max_receipt_bytes: DEFAULT_LIMITS.maxReceiptBytes,
    receipt_ttl_ms: DEFAULT_LIMITS.receiptTtlMs,
    max_idempotency_keys: DEFAULT_LIMITS.maxIdempotencyKeys,
    idempotency_ttl_ms: DEFAULT_LIMITS.idempotencyTtlMs,
    max_transcript_entries: DEFAULT_LIMITS.maxTranscriptEntries,
    max_transcript_bytes: DEFAULT_LIMITS.maxTranscriptBytes,
    max_transcript_age_ms: DEFAULT_LIMITS.maxTranscriptAgeMs,
    idle_after_ms: DEFAULT_LIMITS.idleAfterMs,
    max_loaded_bytes: DEFAULT_LIMITS.maxLoadedBytes,
    max_restarts: DEFAULT_LIMITS.maxRestarts,
    restart_window_ms: DEFAULT_LIMITS.restartWindowMs,
    max_attempts: DEFAULT_LIMITS.maxAttempts,
    max_dead_letters: DEFAULT_LIMITS.maxDeadLetters,
    max_dead_letter_bytes: DEFAULT_LIMITS.maxDeadLetterBytes,
    stuck_after_ms: DEFAULT_LIMITS.stuckAfterMs,
    max_own_hosts: DEFAULT_LIMITS.maxOwnHosts,
    shared_heap_bytes: DEFAULT_LIMITS.sharedHeapBytes,
    dedicated_heap_bytes: DEFAULT_LIMITS.dedicatedHeapBytes,
    process_heap_bytes: DEFAULT_LIMITS.processHeapBytes,
    host_external_bytes: DEFAULT_LIMITS.hostExternalBytes,
    host_max_age_ms: DEFAULT_LIMITS.hostMaxAgeMs,
    host_max_inputs: DEFAULT_LIMITS.hostMaxInputs,
    max_frame_bytes: DEFAULT_LIMITS.maxFrameBytes,
    invocation_timeout_ms: DEFAULT_LIMITS.invocationTimeoutMs,
    max_calls_in_flight: DEFAULT_LIMITS.maxCallsInFlight,
    max_remotes: DEFAULT_LIMITS.maxRemotes,
    max_functions_per_remote: DEFAULT_LIMITS.maxFunctionsPerRemote,
    max_channels: DEFAULT_LIMITS.maxChannels,
    channel_idle_ms: DEFAULT_LIMITS.channelIdleMs,
    max_http_calls_per_function: DEFAULT_LIMITS.maxHttpCallsPerFunction,
    max_http_calls_per_origin: DEFAULT_LIMITS.maxHttpCallsPerOrigin,
    max_sources: DEFAULT_LIMITS.maxSources,
    max_functions_per_source: DEFAULT_LIMITS.maxFunctionsPerSource,
    max_source_bytes: DEFAULT_LIMITS.maxSourceBytes,
  },
};

const ACTOR = {
  kind: 'counter',
  description: null,
  inputSchema: USERS,
  configSchema: USERS,
  outputSchema: true,
  isolation: 'shared',
  durability: 'durable',
  mailbox: { capacity: 1, maxBytes: 2 },
  idleAfterMs: 3,
  functions: [{ functionId: 'counter::add', description: null, inputSchema: USERS, outputSchema: true }],
};
const ACTOR_ON_WIRE = {
  kind: 'counter',
  description: null,
  input_schema: USERS,
  config_schema: USERS,
  output_schema: true,
  isolation: 'shared',
  durability: 'durable',
  mailbox: { capacity: 1, max_bytes: 2 },
  idle_after_ms: 3,
  functions: [{ function_id: 'counter::add', description: null, input_schema: USERS, output_schema: true }],
};

const PAGE = {
  workerId: 'w1',
  items: [{ sequence: 1, at: AT, type: 'emitted', inputId: 'in-1', data: USERS }],
  nextAfter: 1,
  hasMore: false,
};
const PAGE_ON_WIRE = {
  worker_id: 'w1',
  items: [{ sequence: 1, at: AT, type: 'emitted', input_id: 'in-1', data: USERS }],
  next_after: 1,
  has_more: false,
};

describe('a view', () => {
  const pairs: [name: string, view: unknown, wire: unknown][] = [
    ['a worker', WORKER, WORKER_ON_WIRE],
    ['an input', INPUT, INPUT_ON_WIRE],
    ['a runtime', RUNTIME, RUNTIME_ON_WIRE],
    ['an actor', ACTOR, ACTOR_ON_WIRE],
    ['a transcript', PAGE, PAGE_ON_WIRE],
    ['a list', [WORKER, INPUT], [WORKER_ON_WIRE, INPUT_ON_WIRE]],
  ];
  for (const [name, view, wire] of pairs) {
    test(`of ${name} has snake_case keys on the wire, and what belongs to users is left alone`, () => {
      assert.deepEqual(toSnakeCase(view), wire);
    });
    test(`of ${name} comes back from the wire as it was`, () => assert.deepEqual(toCamelCase(wire), view));
  }

  test('that is no object is left alone', () => {
    for (const value of [null, true, 1, 'some_text someText', [], ['aB', 'a_b']]) {
      assert.deepEqual([toSnakeCase(value), toCamelCase(value)], [value, value]);
    }
  });

  test('with any keys in camelCase comes back as it was', (t) => {
    const key = fc.stringMatching(/^[a-z][a-z0-9]{0,3}([A-Z][a-z0-9]{0,3}){0,3}$/);
    const value = fc.letrec<{ view: unknown }>((tie) => ({
      view: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom<unknown>(null, 1, 'aB', 'a_b', true),
        fc.array(tie('view'), { maxLength: 3 }),
        fc.dictionary(key, tie('view'), { maxKeys: 4, noNullPrototype: true }),
      ),
    })).view;
    const property = fc.property(value, (view) => {
      const before = structuredClone(view);
      assert.deepEqual(toCamelCase(toSnakeCase(view)), view);
      assert.deepEqual(view, before, 'the view itself has changed');
    });
    fc.assert(property, seeded(t, 500));
  });
});

test('the names of statuses, outcomes and entry types are part of the contract', () => {
  assert.deepEqual(
    { WORKER_STATUSES, OUTCOMES, ENTRY_TYPES },
    {
      WORKER_STATUSES: ['starting', 'idle', 'running', 'stopping', 'stopped', 'restarting', 'failed', 'hibernated'],
      OUTCOMES: ['completed', 'failed', 'cancelled', 'expired', 'unknown'],
      ENTRY_TYPES: [
        'created',
        'input',
        'output',
        'emitted',
        'cancelled',
        'failed',
        'restarted',
        'killed',
        'promoted',
        'stopped',
      ],
    },
  );
});
