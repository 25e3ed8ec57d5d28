import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { verdictOf, verdictOfKill } from '../../lib/supervisor/verdicts.ts';
import type { Verdict } from '../../lib/protocol/views.ts';

const SUSPECT_AFTER_MS = 1_000;
const SILENT_MS = 2_000;

/** What is seen, and what it means: is it busy, how long is it silent, which part of that time its thread wanted a CPU, whether it answers an interrupt. */
const ROWS: readonly [string, boolean, number, number | null, boolean | null, Verdict][] = [
  ['nothing to do, no silence', false, 0, 0, null, 'idle'],
  ['something to do, no silence', true, 0, 1, null, 'progressing'],
  ['a handler that calculates for a moment', true, SUSPECT_AFTER_MS - 1, 1, true, 'progressing'],
  ['a ping that is on its way to an idle host', false, 1, 0, null, 'progressing'],
  ['silence, runs, answers interrupts', true, SILENT_MS, 1, true, 'spinning'],
  ['the same on a crowded machine', true, SILENT_MS, 0.1, true, 'spinning'],
  ['silence, waits, answers interrupts', true, SILENT_MS, 0, true, 'blocked'],
  ['silence, runs, answers no interrupt', true, SILENT_MS, 1, false, 'native_block'],
  ['silence, waits, answers no interrupt', true, SILENT_MS, 0, false, 'native_block'],
  ['silence, answers no interrupt, CPU unknown', true, SILENT_MS, null, false, 'native_block'],
  ['silence, runs, interrupts unknown', true, SILENT_MS, 1, null, 'unresponsive'],
  ['silence, waits, interrupts unknown', true, SILENT_MS, 0, null, 'blocked'],
  ['silence, answers interrupts, CPU unknown', true, SILENT_MS, null, true, 'unresponsive'],
  ['silence and nothing else known', true, SILENT_MS, null, null, 'unresponsive'],
  ['silence of a host without inputs', false, SILENT_MS, 1, true, 'spinning'],
  ['silence exactly at the bound', true, SUSPECT_AFTER_MS, 0, null, 'blocked'],
];

describe('the verdict on a host', () => {
  for (const [what, isBusy, silentMs, wantedPart, answersInterrupts, verdict] of ROWS)
    test(`${what} → ${verdict}`, () => {
      const cpuBefore = wantedPart === null ? null : 50;
      const cpuAfter = wantedPart === null ? null : 50 + wantedPart * silentMs;
      const before = { atMs: 10_000, isBusy, silentMs: 0, wantedCpuMs: cpuBefore, answersInterrupts: null };
      const after = { atMs: 10_000 + silentMs, isBusy, silentMs, wantedCpuMs: cpuAfter, answersInterrupts };
      assert.equal(verdictOf(before, after, SUSPECT_AFTER_MS), verdict);
    });
});

describe('what a kill adds to it', () => {
  const killed = (verdict: Verdict, wantsCpu: boolean | null, hasEnded: boolean, silentMs = SILENT_MS) =>
    verdictOfKill({ verdict, silentMs, wantsCpu }, hasEnded);

  test('a silent host that does not end is in native code', () => {
    for (const verdict of ['unresponsive', 'blocked', 'native_block', 'progressing'] as const)
      assert.equal(killed(verdict, true, false), 'native_block');
  });

  test('one that was not silent, or answered interrupts, is not', () => {
    assert.equal(killed('progressing', null, false, 0), 'progressing');
    assert.equal(killed('idle', null, false, 0), 'idle');
    assert.equal(killed('spinning', true, false), 'spinning');
  });

  test('a host that ran, and ends at once, was spinning', () => {
    assert.equal(killed('unresponsive', true, true), 'spinning');
    assert.equal(killed('unresponsive', null, true), 'unresponsive');
  });

  test('what was known stays', () => {
    for (const verdict of ['idle', 'progressing', 'blocked', 'spinning', 'native_block'] as const)
      assert.equal(killed(verdict, true, true), verdict);
  });
});
