// One fault in a runtime of its own, with two neighbours on the same host if it is shared: one that adds up what it is told meanwhile, and one
// that waits in the middle of an input. Seen as an embedding application sees it, or as a client of the server does.

import { fileURLToPath } from 'node:url';
import type { TestContext } from 'node:test';
import { createClient } from '../../lib/client/index.ts';
import { asGreenroomError } from '../../lib/errors.ts';
import type { WireError } from '../../lib/errors.ts';
import { createRuntime } from '../../lib/runtime.ts';
import type { Runtime } from '../../lib/runtime.ts';
import { startServer } from '../../lib/server/index.ts';
import type { CloseReport, HostDetail, Isolation, RuntimeView, TranscriptEntry } from '../../lib/protocol/views.ts';
import { eventually, openGate, recordLog } from '../support/start-runtime.ts';
import { SECRET, THROWN_WORDS, variantOf } from './fault.ts';
import type { Fault } from './fault.ts';
import { entriesOf, heldByGate } from './scenes.ts';
import type { AnyWorker } from './scenes.ts';

export const FACES = ['embedded', 'REST'] as const;

/** No caller waits longer for an answer; a machine with other work to do included. */
const ANSWER_MS = 20_000;
/** What is told to the one that adds up, while the fault goes on. */
const TOLD = 5;
export const CLOSE_MS = 10_000;
const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
/** What the transcript holds of the author's own. */
const OWN_ENTRIES = new Set(['created', 'input', 'output', 'emitted']);

/** What the two ways of use share. */
interface Face {
  create(request: { kind: string; workerId?: string }): Promise<AnyWorker>;
  describe(): Promise<RuntimeView>;
  host(hostId: string): HostDetail | Promise<HostDetail>;
}

/** What came of it, in the words of the table. */
export interface Course {
  readonly answer: { code: string; cause?: string };
  readonly held: { code: string; cause?: string } | 'completed';
  readonly total: unknown;
  readonly toldOutcomes: readonly unknown[];
  readonly rest: string;
  readonly again: unknown;
  readonly record: readonly string[];
  readonly neighbourRecord: readonly string[];
  /** Lines of the log about it: message, cause and whom they name. */
  readonly log: readonly { message: string; cause: unknown; isNamed: boolean }[];
  readonly host: HostDetail | null;
  readonly runtime: RuntimeView;
  /** Of the worker, at the end. */
  readonly isolation: Isolation;
  readonly report: CloseReport;
  readonly closedInMs: number;
  /** Where something was said that is nobody's business. */
  readonly indiscretions: readonly string[];
}

const LINES = new Set(['actor threw', 'worker crashed', 'host died', 'host killed', 'worker failed']);

export async function play(t: TestContext, fault: Fault, faceName: (typeof FACES)[number]): Promise<Course> {
  const { log, lines } = recordLog();
  const runtime = await startFaulty(fault, log);
  t.after(() => runtime.close({ deadlineMs: 1 }));
  const { face, leave } = await openFace(t, runtime, faceName);
  const counter = await face.create({ kind: 'counter', workerId: 'adds-up' });
  const gate = await face.create({ kind: 'gate', workerId: 'waits' });
  const culprit = await face.create({ kind: fault.kind, workerId: 'culprit' });
  await counter.ask({ add: 1 });
  const gateName = `${faceName}, ${fault.does}`;
  const holding = settled(gate.ask({ wait: gateName, say: SECRET }));
  await heldByGate(gate);
  const hostId = (await culprit.view()).hostId ?? '';

  const asking = settled(culprit.ask(fault.input));
  if (fault.isCancelled) {
    await hasEntry(culprit, /^emitted$/);
    await culprit.cancel({});
  }
  const told = await Promise.all(Array.from({ length: TOLD }, () => counter.tell({ add: 1 })));
  const error = await asking;
  const { record, neighbours, verdicts } = variantOf(fault, codeAndCause(error).code);
  if (record.some((entry) => entry.includes(':'))) await hasEntry(culprit, /^(restarted|stopped)$/);

  if (neighbours === 'nothing') openGate(gateName);
  const held = await holding;
  const total = await counter.ask({ add: 0 });
  const toldOutcomes = await Promise.all(told.map(({ inputId }) => ended(counter, inputId)));
  const rest = await eventually(async () => {
    const { status } = await culprit.view();
    return ['idle', 'failed', 'stopped'].includes(status) && status;
  });
  const again = fault.again && ((await settled(culprit.ask(fault.again[0]))) ?? null);
  const host = await (verdicts ? overIn(face, hostId) : Promise.resolve(face.host(hostId)).catch(() => null));
  const restful = await eventually(async () => {
    const view = await face.describe();
    return view.mailbox.messages === 0 && view.hosts.every(({ status }) => /ready|quarantined/.test(status)) && view;
  });
  const [entries, others] = [await entriesOf(culprit), await entriesOf(counter)];
  const view = await culprit.view();
  const since = performance.now();
  const report = await leave();
  const shown = {
    error,
    held: codeAndCause(held),
    view,
    host,
    restful,
    report,
    entries: entries.filter(isOfRuntime),
    others: others.filter(isOfRuntime),
  };
  return {
    answer: codeAndCause(error),
    held: held === SECRET ? 'completed' : codeAndCause(held),
    total,
    toldOutcomes,
    rest,
    again: again ?? null,
    record: entries.filter(isOfRuntime).map(inWords),
    neighbourRecord: others.filter(isOfRuntime).map(inWords),
    log: lines
      .filter(({ message }) => LINES.has(message))
      .map(({ message, fields }) => ({
        message,
        cause: fields['cause'],
        isNamed:
          fields['worker_id'] === 'culprit' || (fields['culprits'] as string[] | undefined)?.join() === 'culprit',
      })),
    host,
    runtime: restful,
    isolation: view.isolation,
    report,
    closedInMs: performance.now() - since,
    indiscretions: [...indiscretionsOf('an answer', shown, THROWN_WORDS), ...indiscretionsOf('the log', lines, [])],
  };
}

/** Exits of the process tell by themselves whether anything is left of it. */
export function startFaulty(fault: Fault, log?: Parameters<typeof createRuntime>[0]['log']): Promise<Runtime> {
  const actors = ['../../actors/counter.js', '../fixtures/actors/gate.js', `../fixtures/actors/${fault.kind}.js`];
  return createRuntime({
    actors: actors.map((path) => new URL(path, import.meta.url)),
    hosts: 1,
    log,
    limits: { stuckAfterMs: 1_000, cancelGraceMs: 100, askTimeoutMs: ANSWER_MS, ...fault.limits },
  });
}

async function openFace(
  t: TestContext,
  runtime: Runtime,
  name: (typeof FACES)[number],
): Promise<{ face: Face; leave: () => Promise<CloseReport> }> {
  if (name === 'embedded') return { face: runtime, leave: () => runtime.close({ deadlineMs: CLOSE_MS }) };
  const token = 'a-token-for-tests';
  const server = await startServer({ runtime, token });
  const client = createClient({ url: server.url, token });
  t.after(async () => {
    await client.close();
    await server.close();
  });
  return { face: client, leave: () => client.drain({ deadlineMs: CLOSE_MS }) };
}

/** The value, or the error as it is on the wire. */
async function settled(asking: Promise<unknown>): Promise<unknown> {
  try {
    return await asking;
  } catch (thrown) {
    return { error: asGreenroomError(thrown).toWire() };
  }
}

function codeAndCause(result: unknown): { code: string; cause?: string } {
  const { error } = (result ?? {}) as { error?: WireError };
  if (error === undefined) return { code: 'completed' };
  const cause = error.details?.['cause'];
  return { code: error.code, ...(typeof cause === 'string' && { cause }) };
}

function ended(worker: AnyWorker, inputId: string): Promise<string> {
  return eventually(async () => (await worker.input(inputId)).outcome);
}

function hasEntry(worker: AnyWorker, type: RegExp): Promise<boolean> {
  return eventually(async () => (await entriesOf(worker)).some((entry) => type.test(entry.type)));
}

function overIn(face: Face, hostId: string): Promise<HostDetail> {
  return eventually(async () => {
    const host = await face.host(hostId);
    return (host.status === 'dead' || host.status === 'quarantined') && host;
  });
}

const isOfRuntime = ({ type }: TranscriptEntry) => !OWN_ENTRIES.has(type);

function inWords({ type, data }: TranscriptEntry): string {
  const { cause } = (data ?? {}) as { cause?: unknown };
  return (type === 'restarted' || type === 'stopped') && typeof cause === 'string' ? `${type}: ${cause}` : type;
}

/** Paths of the project and of the fixtures' errors, stacks, what was sent, and the given words. */
function indiscretionsOf(where: string, shown: unknown, words: readonly string[]): string[] {
  const text = JSON.stringify(shown);
  const found = [PROJECT, '/srv/', '.js:', '.ts:', 'file:/', '    at ', SECRET, ...words].filter((word) =>
    text.includes(word),
  );
  return found.map((word) => `${where} says ${word}`);
}
