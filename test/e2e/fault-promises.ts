// The promises of each fault: whatever an actor does, its caller gets a typed answer in bounded time, its neighbours go on, it comes back by its
// policy, and somebody can read why.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { KILL_DEADLINE_MS } from '../../lib/limits.ts';
import type { KillCertificate, Verdict } from '../../lib/protocol/views.ts';
import { FAULTS } from './fault-table.ts';
import { variantOf } from './fault.ts';
import type { Fault } from './fault.ts';
import { CLOSE_MS, play } from './fault-scene.ts';
import type { Course, FACES } from './fault-scene.ts';

/** Tests of every fault, seen in one way. */
export function testFaults(face: (typeof FACES)[number]): void {
  for (const fault of FAULTS)
    test(`${face}: an actor that ${fault.does} ${promiseOf(fault)}`, { timeout: 60_000 }, async (t) => {
      const course = await play(t, fault, face);
      const expected = variantOf(fault, course.answer.code);
      assert.deepEqual(course.answer, expected.answer);
      checkNeighbours(expected, course);
      checkWorker(expected, course);
      checkRecords(expected, course);
      checkRest(course);
    });
}

function promiseOf({ answer, neighbours, rest }: Fault): string {
  const cause = answer.cause === undefined ? '' : ` (${answer.cause})`;
  const others = neighbours === 'nothing' ? 'its neighbours notice nothing' : 'its neighbours come back';
  return `is answered with ${answer.code}${cause}, is ${rest} afterwards, and ${others}`;
}

/** What was acknowledged to a neighbour is neither lost nor done twice; what it had in its hands ends as unknown if its host is lost. */
function checkNeighbours(fault: Fault, { answer, held, total, toldOutcomes, neighbourRecord }: Course): void {
  assert.ok(toldOutcomes.length > 0 && toldOutcomes.every((outcome) => outcome === 'completed'), toldOutcomes.join());
  assert.equal(total, 1 + toldOutcomes.length);
  if (fault.neighbours === 'nothing') {
    assert.deepEqual([held, neighbourRecord], ['completed', []]);
    return;
  }
  const deaths = neighbourRecord.filter((entry) => entry.startsWith('restarted: '));
  const cause = deaths[0]?.slice('restarted: '.length);
  assert.deepEqual(held, { code: 'host_lost', cause });
  if (answer.cause !== undefined) assert.equal(cause, answer.cause);
  assert.deepEqual(neighbourRecord, deaths);
}

function checkWorker({ rest, again }: Fault, course: Course): void {
  assert.equal(course.rest, rest);
  if (again === undefined) return;
  const [, output] = again;
  if (output !== undefined) assert.deepEqual(course.again, output);
  else assert.equal((course.again as { error?: unknown }).error, undefined);
}

/** The transcript, one line of the log for each death, the certificate; and nothing in them that is nobody's business. */
function checkRecords(fault: Fault, { record, log, host, indiscretions }: Course): void {
  assert.deepEqual(record, fault.record);
  const causes = record.flatMap((entry) => /^(?:restarted|stopped): (.*)$/.exec(entry)?.[1] ?? []);
  const deaths = log.filter(({ message }) => message !== 'worker failed');
  if (fault.log === null) assert.deepEqual(log, []);
  else {
    assert.ok(deaths.length > 0 && deaths.every(({ message }) => message === fault.log), JSON.stringify(log));
    if (!fault.isVague) assert.ok(log.every(({ isNamed }) => isNamed));
    if (causes.length > 0)
      assert.deepEqual(
        deaths.map(({ cause }) => cause),
        causes,
      );
  }
  if (fault.verdicts) {
    const { certificate } = host ?? {};
    assert.ok(
      certificate && possible(fault.verdicts, certificate).includes(certificate.verdict),
      JSON.stringify(certificate),
    );
    assert.equal(certificate.reason, causes.at(-1));
    if (!fault.isVague) assert.deepEqual(certificate.culprits, ['culprit']);
  }
  assert.deepEqual(indiscretions, []);
}

/** Elsewhere than on Linux nobody tells what CPU a thread takes; and on a crowded machine even a loop may end too late, as native code does. */
function possible(verdicts: readonly Verdict[], { tookMs }: KillCertificate): readonly Verdict[] {
  const isLate = tookMs === null || tookMs >= KILL_DEADLINE_MS;
  const unknown = existsSync('/proc/thread-self/schedstat') ? [] : (['unresponsive'] as const);
  return [...verdicts, ...unknown, ...(isLate ? (['native_block'] as const) : [])];
}

/** As many hosts as there were, nothing in line, and an end in time. */
function checkRest({ runtime, report, closedInMs, isolation, host }: Course): void {
  const live = runtime.hosts.filter(({ status }) => status === 'ready').map((host) => host.isolation);
  assert.deepEqual(live.sort(), isolation === 'shared' ? ['shared'] : [isolation, 'shared'].sort());
  const quarantined = runtime.hosts.filter(({ status }) => status === 'quarantined').length;
  assert.ok(quarantined <= (host?.certificate?.verdict === 'native_block' ? 1 : 0));
  assert.deepEqual(runtime.mailbox, { messages: 0, bytes: 0 });
  assert.deepEqual([report.killed, report.cancelled, report.uncleanTotal], [0, 0, 0]);
  assert.ok(closedInMs < CLOSE_MS, `${Math.round(closedInMs)} ms`);
}
