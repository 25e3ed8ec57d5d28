import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fifo } from '../../lib/supervisor/fifo.ts';
import { seeded } from '../support/seeded.ts';

test('a line gives back what was pushed, in its order, and has the length of an array that does the same', (t) => {
  const property = fc.property(fc.array(fc.oneof(fc.nat(), fc.constant('shift' as const))), (steps) => {
    const line = new Fifo<number>();
    const model: number[] = [];
    for (const step of steps) {
      if (step === 'shift') {
        assert.equal(line.shift(), model.shift());
      } else {
        line.push(step);
        model.push(step);
      }
      assert.equal(line.length, model.length);
    }
  });
  fc.assert(property, seeded(t, 500));
});
