// The matrix of faults: whatever an actor does, its caller gets a typed answer in bounded time, its neighbours go on, it comes back by its
// policy, and somebody can read why. Each promise is checked embedded and over REST.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runModule } from './child.ts';
import { FAULTS, variantOf } from './fault-table.ts';
import type { Fault } from './fault-table.ts';
import { CLOSE_MS, FACES, play, startFaulty } from './fault-scene.ts';
import type { Course } from './fault-scene.ts';

for (const face of FACES)
  describe(face, () => {
    for (const fault of FAULTS)
      test(`an actor that ${fault.does} ${promiseOf(fault)}`, { timeout: 60_000 }, async (t) => {
        const course = await play(t, fault, face);
        const expected = variantOf(fault, course.answer.code);
        assert.deepEqual(course.answer, expected.answer);
        checkNeighbours(expected, course);
        checkWorker(expected, course);
        checkRecords(expected, course);
        checkRest(expected, course);
      });
  });

/** One of each kind: what ends, hangs, runs out of memory, and what only leaves something behind. */
const AT_THE_END = [
  'throws an error',
  'throws from a timer while it runs',
  'calls process.exit',
  'loops without an end',
  'waits for a lock that nobody opens',
  'blocks in native code, in a process of its own',
  'takes memory in one large step, in a process of its own',
  'leaks until the heap is full',
  'leaves an interval behind',
  'leaves a loop behind',
  'prints without end',
];

describe('the process of an application', () => {
  for (const does of AT_THE_END)
    test(`ends by itself after close when an actor ${does}`, { timeout: 60_000 }, async (t) => {
      const { exit, stdout, stderr } = await runModule(t, process.execPath, 'fault-child', [does]);
      assert.deepEqual({ exit, stdout, stderr }, { exit: 0, stdout: 'closed\n', stderr: '' });
    });
});

test('a close does not wait for the loop of a worker that has nothing to do', { timeout: 30_000 }, async () => {
  const fault = FAULTS.find(({ does }) => does === 'leaves a loop behind') as Fault;
  const runtime = await startFaulty({ ...fault, limits: { stuckAfterMs: 60_000, startTimeoutMs: 60_000 } });
  const worker = await runtime.create({ kind: fault.kind });
  assert.equal(await worker.ask(fault.input), 'done');
  const { killed } = await runtime.close({ deadlineMs: 60_000 });
  assert.equal(killed, 1);
});

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
    assert.ok(certificate && fault.verdicts.includes(certificate.verdict), JSON.stringify(certificate));
    assert.equal(certificate.reason, causes.at(-1));
    if (!fault.isVague) assert.deepEqual(certificate.culprits, ['culprit']);
  }
  assert.deepEqual(indiscretions, []);
}

/** As many hosts as there were, nothing in line, and an end in time. */
function checkRest(fault: Fault, { runtime, report, closedInMs, isolation }: Course): void {
  const live = runtime.hosts.filter(({ status }) => status === 'ready').map(({ isolation }) => isolation);
  assert.deepEqual(live.sort(), isolation === 'shared' ? ['shared'] : [isolation, 'shared'].sort());
  const quarantined = runtime.hosts.filter(({ status }) => status === 'quarantined').length;
  assert.ok(quarantined <= (fault.verdicts?.includes('native_block') ? 1 : 0));
  assert.deepEqual(runtime.mailbox, { messages: 0, bytes: 0 });
  assert.deepEqual([report.killed, report.cancelled, report.uncleanTotal], [0, 0, 0]);
  assert.ok(closedInMs < CLOSE_MS, `${Math.round(closedInMs)} ms`);
}
