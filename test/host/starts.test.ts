import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { StartResult, WorkerSpec } from '../../lib/host/host.ts';
import { packResults, packStarts, unpackResults, unpackStarts } from '../../lib/host/starts.ts';
import { seeded } from '../support/seeded.ts';

const PLAIN = { noNullPrototype: true };
const payload = fc.oneof(fc.constantFrom('{}', '{"start":1}', ''), fc.string(), fc.uint8Array({ maxLength: 4 }));

describe('workers to be started', () => {
  test('come out of structured clone as they were packed', (t) => {
    const spec: fc.Arbitrary<WorkerSpec> = fc.record(
      {
        slot: fc.nat(),
        workerId: fc.string(),
        module: fc.constantFrom('file:///a.js', 'file:///b.js'),
        config: payload,
        state: fc.option(payload),
        stateVersion: fc.nat(),
      },
      PLAIN,
    );
    const property = fc.property(fc.array(spec), (specs) => {
      assert.deepEqual(unpackStarts(structuredClone(packStarts(specs))), specs);
    });
    fc.assert(property, seeded(t, 300));
  });

  test('carry each text once, however many have it', () => {
    const specs = [1, 2, 3].map((slot) => ({
      slot,
      workerId: `w${slot}`,
      module: 'file:///a.js',
      config: JSON.stringify({ start: 1 }),
      state: slot === 3 ? '{"start":1}' : null,
      stateVersion: 0,
    }));
    assert.deepEqual(packStarts(specs).texts, ['file:///a.js', '{"start":1}']);
  });
});

test('what became of them comes out of structured clone as it was packed', (t) => {
  const result: fc.Arbitrary<StartResult> = fc.oneof(
    fc.record({ state: fc.option(payload), stateVersion: fc.nat() }, PLAIN),
    fc.record({ error: fc.record({ code: fc.string(), message: fc.string(), retryable: fc.boolean() }, PLAIN) }, PLAIN),
  );
  const property = fc.property(fc.array(result), (results) => {
    assert.deepEqual(unpackResults(structuredClone(packResults(results))), results);
  });
  fc.assert(property, seeded(t, 300));
});
