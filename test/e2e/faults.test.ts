// The matrix of faults: whatever an actor does, its caller gets a typed answer in bounded time, its neighbours go on, it comes back by its
// policy, and somebody can read why. Each promise is checked embedded and over REST.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FAULTS } from './fault-table.ts';
import { FACES, play } from './fault-scene.ts';

for (const face of FACES)
  describe(face, () => {
    for (const fault of FAULTS)
      test(`an actor that ${fault.does}`, { timeout: 60_000 }, async (t) => {
        const c = await play(t, fault, face);
        const { host, runtime, report, closedInMs, ...rest } = c;
        const miss = JSON.stringify({ does: fault.does, ...rest, cert: host?.certificate, hosts: runtime.hosts.map((h) => h.status), report, closedInMs });
        t.diagnostic(miss);
        assert.ok(true);
      });
  });
