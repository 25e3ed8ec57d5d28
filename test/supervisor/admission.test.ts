import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { INLINE_PARSE_BYTES } from '../../lib/limits.ts';
import { codeOf, eventually, startRuntime } from '../support/start-runtime.ts';

/** One JSON text of exactly so many bytes. */
const textOf = (bytes: number): Uint8Array => Buffer.from(`"${'x'.repeat(bytes - 2)}"`);

describe('bytes that are no input', () => {
  test('are looked at on the spot up to INLINE_PARSE_BYTES, and on a host above it', async (t) => {
    const { supervisor } = await startRuntime(t);
    assert.equal(supervisor.checkPayload(textOf(INLINE_PARSE_BYTES)), undefined);
    assert.throws(() => supervisor.checkPayload(Buffer.from('{')), { code: 'invalid_json' });
    const large = supervisor.checkPayload(textOf(INLINE_PARSE_BYTES + 1));
    assert.ok(large instanceof Promise);
    await large;
    const broken = textOf(INLINE_PARSE_BYTES + 2).subarray(0, -1);
    assert.equal(await codeOf(Promise.resolve(supervisor.checkPayload(broken))), 'invalid_json');
  });

  test('count against the bytes of the runtime while they are looked at, and wake who waits for room', async (t) => {
    const limits = { maxMessageBytes: 1_000_000, maxTotalBytes: 2_000_000 };
    const runtime = await startRuntime(t, { limits });
    const { supervisor } = runtime;
    const { workerId } = await runtime.create({ kind: 'echo', workerId: 'e' });
    const first = supervisor.checkPayload(textOf(800_000));
    assert.equal(await codeOf(Promise.resolve(supervisor.checkPayload(textOf(800_000)))), 'runtime_overloaded');
    let calls = 0;
    assert.equal(
      supervisor.joinLine(workerId, 800_000, undefined, () => calls++),
      true,
    );
    await first;
    assert.equal(calls, 1);
    await supervisor.checkPayload(textOf(800_000));
  });

  test('find no host in a runtime that is closed', async (t) => {
    const runtime = await startRuntime(t);
    await runtime.close({ deadlineMs: 1 });
    await eventually(() => runtime.supervisor.status === 'stopped');
    const checked = Promise.resolve(runtime.supervisor.checkPayload(textOf(INLINE_PARSE_BYTES + 1)));
    assert.equal(await codeOf(checked), 'runtime_unavailable');
  });
});
