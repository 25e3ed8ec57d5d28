// Every bound says its unit in its name, takes only what it can mean, and the defaults fit together.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GreenroomError } from '../lib/errors.ts';
import * as limits from '../lib/limits.ts';
import { DEFAULT_LIMITS, DEFAULT_MAILBOX, resolveLimits, resolveMailbox } from '../lib/limits.ts';
import type { Limits } from '../lib/limits.ts';

/** Names that count things: the noun is the unit. */
const COUNTS = new Set([
  'maxHttpCallsPerFunction',
  'maxHttpCallsPerOrigin',
  'maxSources',
  'maxFunctionsPerSource',
  'maxWorkers',
  'maxReceipts',
  'maxIdempotencyKeys',
  'maxTranscriptEntries',
  'maxRestarts',
  'maxAttempts',
  'maxDeadLetters',
  'maxOwnHosts',
  'hostMaxInputs',
  'SOFT_MEMORY_PERCENT',
  'DEAD_HOSTS_KEPT',
  'capacity', // messages of a mailbox
  'INPUT_COPIES',
  'CREDITS_PER_WORKER',
  'CREDITS_PER_QUICK_WORKER',
  'WINDOW_PER_HOST', // inputs
  'BATCH_FRAMES',
  'WORKERS_PER_HOST',
  'KEEP_AWAKE_REASONS',
  'MAX_JSON_DEPTH', // levels
  'MAX_PAGE_ITEMS',
  'LOG_LINES_IN_FLIGHT',
  'SERVICE_CALLS_IN_FLIGHT',
  'TIMERS_PER_WORKER',
  'WATCHES_PER_WORKER',
  'EFFECTS_PER_INPUT',
  'maxCallsInFlight',
  'maxRemotes',
  'maxFunctionsPerRemote',
  'maxChannels',
  'CHANNEL_MESSAGES',
  'LOST_PEERS_KEPT',
  'MAX_CHANNEL_MESSAGES',
]);
/** Bounds that are off at zero. */
const ZERO_IS_NEVER = new Set(['idleAfterMs', 'hostMaxAgeMs', 'hostMaxInputs']);
const UNIT = /(Bytes|Ms)$|_(BYTES|MS|CHARS)(_PER_(WORKER|HOST|INPUT))?$/;

const names = Object.keys(DEFAULT_LIMITS) as (keyof Limits)[];

/** The error as it goes out, or what was accepted. */
function outcomeOf<T>(resolve: () => T): unknown {
  try {
    return resolve();
  } catch (thrown) {
    assert.ok(thrown instanceof GreenroomError, String(thrown));
    return thrown.toWire();
  }
}

const refusal = (option: string, problem: string) => ({
  code: 'invalid_option',
  message: `${option} ${problem}`,
  retryable: false,
  details: { option },
});

describe('the name of a bound', () => {
  const numeric = Object.entries(limits).filter(([, value]) => typeof value === 'number');
  const fields = [...Object.entries(DEFAULT_LIMITS), ...Object.entries(DEFAULT_MAILBOX)];

  test('ends with its unit, or is the noun that it counts', () => {
    assert.deepEqual(
      [...numeric, ...fields].map(([name]) => name).filter((name) => UNIT.test(name) === COUNTS.has(name)),
      [],
    );
  });

  test('stands in the list of nouns only while there is such a bound', () => {
    const all = new Set([...numeric, ...fields].map(([name]) => name));
    assert.deepEqual(
      [...COUNTS].filter((name) => !all.has(name)),
      [],
    );
  });

  test('has a whole number above zero behind it, or zero where that is never', () => {
    assert.deepEqual(
      [...numeric, ...fields].filter(
        ([name, value]) => !Number.isSafeInteger(value) || Number(value) < (ZERO_IS_NEVER.has(name) ? 0 : 1),
      ),
      [],
    );
  });
});

describe('the defaults', () => {
  test('are what resolveLimits gives for nothing, and frozen', () => {
    const resolved = resolveLimits();
    assert.deepEqual(resolved, DEFAULT_LIMITS);
    assert.deepEqual([resolved, resolveLimits({}), DEFAULT_LIMITS, DEFAULT_MAILBOX].map(Object.isFrozen), [
      true,
      true,
      true,
      true,
    ]);
  });

  test('fit together', () => {
    const {
      maxMessageBytes,
      maxTotalBytes,
      askTimeoutMs,
      cancelGraceMs,
      stopTimeoutMs,
      receiptTtlMs,
      idempotencyTtlMs,
    } = DEFAULT_LIMITS;
    const atMost: Record<string, [number, number]> = {
      'a message in a mailbox': [maxMessageBytes, DEFAULT_MAILBOX.maxBytes],
      'a full mailbox in the runtime': [DEFAULT_MAILBOX.maxBytes, maxTotalBytes],
      'a full mailbox of empty inputs in the runtime': [
        DEFAULT_MAILBOX.capacity * limits.INPUT_OVERHEAD_BYTES,
        maxTotalBytes,
      ],
      'a message in the window of a host': [maxMessageBytes, limits.WINDOW_BYTES_PER_HOST],
      'the credits of a worker in those of a quick one': [limits.CREDITS_PER_WORKER, limits.CREDITS_PER_QUICK_WORKER],
      'the credits of a quick worker in the window of its host': [
        limits.CREDITS_PER_QUICK_WORKER,
        limits.WINDOW_PER_HOST,
      ],
      'the bytes of a worker in the window of its host': [limits.CREDIT_BYTES_PER_WORKER, limits.WINDOW_BYTES_PER_HOST],
      'a batch in the window of a host': [limits.BATCH_BYTES, limits.WINDOW_BYTES_PER_HOST],
      'an input that is parsed inline in the credits of a worker': [
        limits.INLINE_PARSE_BYTES,
        limits.CREDIT_BYTES_PER_WORKER,
      ],
      'the largest message in the kept outputs': [maxMessageBytes, DEFAULT_LIMITS.maxReceiptBytes],
      'all workers on one host': [DEFAULT_LIMITS.maxWorkers, limits.WORKERS_PER_HOST],
      'the grace of a cancel in an orderly stop': [cancelGraceMs, stopTimeoutMs],
      'a wait for an outcome in the life of its receipt': [askTimeoutMs, receiptTtlMs],
      'a receipt in the life of its idempotency key': [receiptTtlMs, idempotencyTtlMs],
      'an ask in the longest wait': [askTimeoutMs, limits.MAX_WAIT_MS],
      'the first pause before a restart in the longest': [limits.RESTART_BACKOFF_MS, limits.MAX_RESTART_BACKOFF_MS],
      'all pauses of a restart budget in its window': [
        DEFAULT_LIMITS.maxRestarts * limits.MAX_RESTART_BACKOFF_MS,
        DEFAULT_LIMITS.restartWindowMs,
      ],
    };
    assert.deepEqual(
      Object.entries(atMost).filter(([, [part, whole]]) => part > whole),
      [],
    );
  });
});

describe('resolveLimits', () => {
  test('takes what is given and leaves it as it was', () => {
    const given = { maxRestarts: 7, askTimeoutMs: 1 };
    assert.deepEqual(resolveLimits(given), { ...DEFAULT_LIMITS, maxRestarts: 7, askTimeoutMs: 1 });
    assert.deepEqual(given, { maxRestarts: 7, askTimeoutMs: 1 });
  });

  const impossible: unknown[] = [
    0,
    -1,
    1.5,
    Number.NaN,
    Infinity,
    -Infinity,
    2 ** 53,
    '1',
    '',
    null,
    undefined,
    true,
    1n,
    [1],
    {},
  ];
  for (const name of names) {
    test(`refuses what is not a whole number above zero, naming ${name}`, () => {
      for (const value of impossible) {
        // 0 is never.
        const least = ZERO_IS_NEVER.has(name) ? 0 : 1;
        if (value === least) continue;
        const problem = `must be a whole number of at least ${least}, not ${String(value)} (${typeof value})`;
        assert.deepEqual(
          outcomeOf(() => resolveLimits({ [name]: value })),
          refusal(name, problem),
        );
      }
    });
  }

  const related = ['maxMessageBytes', 'maxTotalBytes', 'maxFrameBytes'];
  for (const name of names.filter((name) => !related.includes(name))) {
    test(`takes 1 for ${name}`, () => assert.deepEqual(resolveLimits({ [name]: 1 }), { ...DEFAULT_LIMITS, [name]: 1 }));
  }

  for (const name of ['maxMessagesBytes', 'max_message_bytes', 'toString', 'constructor', '']) {
    test(`refuses a name that is not a limit: ${JSON.stringify(name)}`, () => {
      assert.deepEqual(
        outcomeOf(() => resolveLimits({ [name]: 1 })),
        refusal(name, 'is not a limit'),
      );
    });
  }

  test('takes a total as large as one message, and refuses one byte less', () => {
    assert.equal(resolveLimits({ maxMessageBytes: 100, maxTotalBytes: 100 }).maxTotalBytes, 100);
    assert.deepEqual(
      outcomeOf(() => resolveLimits({ maxMessageBytes: 100, maxTotalBytes: 99 })),
      refusal('maxTotalBytes', 'is 99, but must be at least maxMessageBytes (100)'),
    );
    assert.deepEqual(
      outcomeOf(() => resolveLimits({ maxMessageBytes: 512 * 1024 * 1024 + 1 })),
      refusal('maxTotalBytes', 'is 536870912, but must be at least maxMessageBytes (536870913)'),
    );
  });

  test('takes frames that are larger than a message by their margin, and refuses one byte less', () => {
    const least = 100 + limits.FRAME_MARGIN_BYTES;
    assert.equal(resolveLimits({ maxMessageBytes: 100, maxFrameBytes: least }).maxFrameBytes, least);
    assert.deepEqual(
      outcomeOf(() => resolveLimits({ maxMessageBytes: 100, maxFrameBytes: least - 1 })),
      refusal('maxFrameBytes', `is ${least - 1}, but must be at least maxMessageBytes + 65536 (${least})`),
    );
  });

  test('gives frames twice the size of a message where nothing else is said, and at least 64 KiB more than it', () => {
    const frameBytes = (maxMessageBytes: number) => resolveLimits({ maxMessageBytes }).maxFrameBytes;
    assert.deepEqual([frameBytes(1), frameBytes(65_536), frameBytes(65_537)], [65_537, 131_072, 131_074]);
    assert.equal(resolveLimits({ maxMessageBytes: 1, maxFrameBytes: 80_000 }).maxFrameBytes, 80_000);
  });

  const LONGEST_MS = 2 ** 31 - 1;
  for (const name of names.filter(
    (name) => name.endsWith('Ms') && !['askTimeoutMs', 'maxTranscriptAgeMs'].includes(name),
  )) {
    test(`takes the longest time that a timer can run for ${name}, and refuses one millisecond more`, () => {
      assert.equal(resolveLimits({ [name]: LONGEST_MS })[name], LONGEST_MS);
      assert.deepEqual(
        outcomeOf(() => resolveLimits({ [name]: LONGEST_MS + 1 })),
        refusal(name, `must be at most ${LONGEST_MS}`),
      );
    });
  }

  test('takes an age of years for transcripts, which no timer waits for', () => {
    const maxTranscriptAgeMs = 10 * 365 * 86_400_000;
    assert.equal(resolveLimits({ maxTranscriptAgeMs }).maxTranscriptAgeMs, maxTranscriptAgeMs);
  });

  test('takes a day for an ask, and refuses one millisecond more', () => {
    const dayMs = 86_400_000;
    assert.equal(resolveLimits({ askTimeoutMs: dayMs }).askTimeoutMs, dayMs);
    assert.deepEqual(
      outcomeOf(() => resolveLimits({ askTimeoutMs: dayMs + 1 })),
      refusal('askTimeoutMs', `must be at most ${dayMs}`),
    );
  });
});

describe('resolveMailbox', () => {
  const MiB = 1024 * 1024;

  test('gives the defaults for nothing, frozen, and takes what is given', () => {
    assert.deepEqual(resolveMailbox(undefined, DEFAULT_LIMITS), { capacity: 1_024, maxBytes: 64 * MiB });
    assert.deepEqual(resolveMailbox({ capacity: 0 }, DEFAULT_LIMITS), { capacity: 0, maxBytes: 64 * MiB });
    assert.ok(Object.isFrozen(resolveMailbox({}, DEFAULT_LIMITS)));
  });

  test('has room for the largest message where nothing else is said', () => {
    assert.equal(resolveMailbox({}, resolveLimits({ maxMessageBytes: 65 * MiB })).maxBytes, 65 * MiB);
  });

  test('takes the bytes of one largest message, and refuses one byte less', () => {
    const runtime = resolveLimits({ maxMessageBytes: 100 });
    assert.deepEqual(resolveMailbox({ maxBytes: 100 }, runtime), { capacity: 1_024, maxBytes: 100 });
    assert.deepEqual(
      outcomeOf(() => resolveMailbox({ maxBytes: 99 }, runtime)),
      refusal('mailbox.maxBytes', 'is 99, but must be at least maxMessageBytes (100)'),
    );
  });

  const impossible: unknown[] = [-1, 1.5, Number.NaN, Infinity, 2 ** 53, '1', null, undefined];
  for (const [field, least] of [
    ['capacity', 0],
    ['maxBytes', 1],
  ] as const) {
    test(`refuses what is not a whole number of at least ${least}, naming mailbox.${field}`, () => {
      for (const value of impossible) {
        const problem = `must be a whole number of at least ${least}, not ${String(value)} (${typeof value})`;
        const given = { [field]: value } as { capacity: number };
        assert.deepEqual(
          outcomeOf(() => resolveMailbox(given, DEFAULT_LIMITS)),
          refusal(`mailbox.${field}`, problem),
        );
      }
    });
  }
});
