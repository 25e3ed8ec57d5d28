// Overload is refused, not stored: what is sent is accepted or refused, what is accepted ends, and memory stays in its bound.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/start-runtime.ts';
import { runModule } from './child.ts';
import type { Flood } from './flooded.ts';

const MiB = 1024 * 1024;
const MAX_TOTAL_BYTES = 64 * MiB;
const PAYLOAD_BYTES = 64 * 1024;
/** What an input counts: its bytes are held twice. */
const HELD_BYTES = 2 * PAYLOAD_BYTES;
const SENT = 4 * 10 * 1_024;
/**
 * What Node itself may add: garbage that lies in the young generations, two semi-spaces of 16 MiB in the main thread and in
 * each of the two hosts, which all of the payloads pass through.
 */
const NODE_BYTES = 3 * 2 * 16 * MiB;

test(
  'ten times what the mailboxes hold is accepted or refused, every accepted input ends once, and memory stays bounded',
  { timeout: 110_000 },
  async (t) => {
    const gate = join(temporaryFolder(t), 'gate');
    const { exit, stdout, stderr } = await runModule(t, process.execPath, 'flooded', [gate], 100_000);
    assert.deepEqual({ exit, stderr }, { exit: 0, stderr: '' });
    const { grownBytes, accepted, refused, ...rest } = JSON.parse(stdout) as Flood;
    const allowedBytes = MAX_TOTAL_BYTES * 1.2 + NODE_BYTES;
    t.diagnostic(
      `${accepted} accepted, refused ${JSON.stringify(refused)}; memory grew by ${(grownBytes / MiB).toFixed(1)} of ${(allowedBytes / MiB).toFixed(1)} MiB`,
    );
    assert.deepEqual(rest, {
      sent: SENT,
      outcomes: { completed: accepted },
      strayInputs: 0,
      left: { messages: 0, bytes: 0 },
    });
    assert.deepEqual(refused, { runtime_overloaded: SENT - accepted });
    // Each weighs a little more than its bytes, and the four that hold the workers weigh as well.
    assert.ok(
      accepted > 0.95 * (MAX_TOTAL_BYTES / HELD_BYTES) && accepted <= MAX_TOTAL_BYTES / HELD_BYTES,
      String(accepted),
    );
    assert.ok(grownBytes < allowedBytes, `memory grew by ${(grownBytes / MiB).toFixed(1)} MiB`);
  },
);
