// The clients of the load: each does one thing after the other, by chance, and writes down what it is told. Keyed inputs whose answer is
// lost with the runtime are sent again with the same key.

import { GreenroomError } from '../../lib/client/index.ts';
import { between, oneOf } from '../support/random.ts';
import { isConnectionError, timed } from './desk.ts';
import type { Desk, Unanswered } from './desk.ts';
import { chainOfEntries } from './account.ts';
import type { Entry } from './account.ts';
import { nowUs } from './heard.ts';
import { errorCodeOf, send, sendBatch } from './wire.ts';

const MAX_WORK_MS = 40;
const LARGE_CHARS = 100_000;
const BATCH_LINES = 250;
const FLOOD_LINES = 1_000;
const SINGLES_PER_FLOOD = 8;
const MAX_RING_MS = 900;
const ASKED_TO_FAIL = 'asked_to_fail';

type Input = { readonly n: number } & Record<string, unknown>;

/** Mostly nothing but a number; sometimes slow, sometimes large, sometimes one that fails. */
function inputOf(desk: Desk, mayBeSlow = true): Input {
  const { random } = desk;
  const n = desk.nextNumber();
  const chance = random();
  if (chance < 0.15 && mayBeSlow) return { n, workMs: between(random, 1, MAX_WORK_MS) };
  if (chance < 0.2) return { n, fail: true };
  if (chance < 0.21) return { n, pad: 'x'.repeat(LARGE_CHARS) };
  return { n };
}

const keyOf = ({ n }: Input): string => `key-${n}`;

/** Single inputs: told and asked for, with and without a key, with a deadline, cancelled, looked at later. */
export async function single(desk: Desk): Promise<void> {
  const { random } = desk;
  const workerId = await desk.journalist();
  const input = inputOf(desk);
  const chance = random();
  if (chance < 0.25) return tell(desk, workerId, input);
  if (chance < 0.5)
    return tellKeyed(desk, { workerId, name: String(input.n), input, key: keyOf(input), sentUs: nowUs() });
  if (chance < 0.65) return ask(desk, workerId, input);
  if (chance < 0.8) return waitFor(desk, workerId, input);
  if (chance < 0.88) return tell(desk, workerId, input, { deadlineMs: between(random, 1, MAX_WORK_MS) });
  if (chance < 0.95) return tellAndCancel(desk, workerId, input);
  const lost = desk.unanswered.shift();
  return lost === undefined ? waitFor(desk, workerId, input) : tellKeyed(desk, lost);
}

async function tell(desk: Desk, workerId: string, input: Input, options: { deadlineMs?: number } = {}): Promise<void> {
  const name = String(input.n);
  const told = await accepted(desk, workerId, name, () => desk.client.worker(workerId).tell(input, options));
  if (told !== null && desk.random() < 0.3) await look(desk, workerId, name, told);
}

async function tellKeyed(desk: Desk, { workerId, name, input, key, sentUs }: Unanswered): Promise<void> {
  try {
    const { inputId } = await desk.client.worker(workerId).tell(input, { idempotencyKey: key });
    desk.hear({ op: 'ack', workerId, name, inputId, sentUs, key, input });
  } catch (error) {
    desk.keep({ workerId, name, input, key, sentUs });
    throw error;
  }
}

/** Hands an input over and writes down its receipt, or that it was refused. Null when it was refused. */
async function accepted(
  desk: Desk,
  workerId: string,
  name: string,
  work: () => Promise<{ inputId: string }>,
): Promise<string | null> {
  try {
    const { sentUs, answer } = await timed(work);
    desk.hear({ op: 'ack', workerId, name, inputId: answer.inputId, sentUs });
    return answer.inputId;
  } catch (error) {
    if (isConnectionError(error) || !(error instanceof GreenroomError)) throw error;
    desk.hear({ op: 'refused', workerId, name, code: error.code });
    return null;
  }
}

async function ask(desk: Desk, workerId: string, input: Input): Promise<void> {
  const name = String(input.n);
  const sentUs = nowUs();
  const outcome = await desk.client
    .worker(workerId)
    .ask(input, desk.random() < 0.5 ? { idempotencyKey: keyOf(input) } : {})
    .then(
      (output) => ({ outcome: 'completed', output }),
      (error: unknown) => {
        const { code } = error as { code?: string };
        if (code === ASKED_TO_FAIL) return { outcome: 'failed', code };
        if (code === 'host_lost') return { outcome: 'unknown', code };
        throw error;
      },
    );
  desk.hear({ op: 'ack', workerId, name, inputId: null, sentUs });
  desk.hear({ op: 'outcome', workerId, name, ...outcome });
}

/** The same without the client, which tells the id and every outcome. */
export async function waitFor(desk: Desk, workerId: string, input: Input): Promise<void> {
  const name = String(input.n);
  const path = `/v1/workers/${workerId}/input`;
  const { sentUs, answer } = await timed(() => send(desk.place, 'POST', path, input, { prefer: 'wait=2' }));
  const { ack, result } = answer.body as { ack?: { input_id: string }; result?: WireResult };
  if (ack !== undefined) desk.hear({ op: 'ack', workerId, name, inputId: ack.input_id, sentUs });
  if (result !== undefined) {
    desk.hear({ op: 'ack', workerId, name, inputId: result.input_id, sentUs });
    desk.hear({ op: 'outcome', workerId, name, ...outcomeOf(result) });
  }
  if (answer.status >= 400 && answer.status < 500)
    desk.hear({ op: 'refused', workerId, name, code: errorCodeOf(answer) ?? '' });
}

interface WireResult {
  readonly input_id: string;
  readonly outcome: string;
  readonly output?: unknown;
  readonly error?: { readonly code: string };
}

function outcomeOf({ outcome, output, error }: WireResult) {
  return { outcome, ...(output !== undefined && { output }), ...(error !== undefined && { code: error.code }) };
}

async function tellAndCancel(desk: Desk, workerId: string, input: Input): Promise<void> {
  const name = String(input.n);
  const worker = desk.client.worker(workerId);
  const inputId = await accepted(desk, workerId, name, () => worker.tell(input));
  if (inputId === null) return;
  const ack = await worker.cancel({ inputId }).catch((error: unknown) => notFound(desk, workerId, name, error));
  if (ack === null) return;
  const { effect, outcome } = ack;
  if (effect === 'removed') desk.hear({ op: 'removed', workerId, name });
  if (effect === 'ended' && outcome !== undefined) desk.hear({ op: 'outcome', workerId, name, outcome });
}

async function look(desk: Desk, workerId: string, name: string, inputId: string): Promise<void> {
  const view = await desk.client
    .worker(workerId)
    .input(inputId)
    .catch((error: unknown) => notFound(desk, workerId, name, error));
  if (view === null) return;
  const { status, outcome, output, error } = view;
  if (status === 'ended' && outcome !== undefined)
    desk.hear({
      op: 'outcome',
      workerId,
      name,
      outcome,
      ...(output !== undefined && { output }),
      ...(error !== undefined && { code: error.code }),
    });
}

/** An input that was acknowledged is there: that it is not is written down as an outcome that it cannot have. */
function notFound(desk: Desk, workerId: string, name: string, error: unknown): null {
  const { code } = error as { code?: string };
  if (code !== 'input_not_found') throw error;
  desk.hear({ op: 'outcome', workerId, name, outcome: code });
  return null;
}

/** Many inputs in one request, across workers; half of them with keys. */
export async function batch(desk: Desk): Promise<void> {
  const count = between(desk.random, 10, BATCH_LINES);
  const targets = await Promise.all(Array.from({ length: 3 }, () => desk.journalist(count)));
  const lines = Array.from({ length: count }, () => ({
    workerId: oneOf(desk.random, targets),
    input: inputOf(desk, desk.random() < 0.1),
    isKeyed: desk.random() < 0.5,
  }));
  await sendLines(desk, lines);
}

/** An input that may be lost. */
export async function volatile(desk: Desk): Promise<void> {
  const workerId = await desk.workerOf('volatile', 'crash-volatile');
  await (desk.random() < 0.5 ? waitFor : tell)(desk, workerId, inputOf(desk));
}

/** So many to one worker that its oldest entries have to go. */
export async function flood(desk: Desk): Promise<void> {
  const workerId = await desk.workerOf('flood', 'crash-once', 0);
  const lines = Array.from({ length: FLOOD_LINES }, () => ({
    workerId,
    input: { n: desk.nextNumber() },
    isKeyed: false,
  }));
  await sendLines(desk, lines);
  for (let n = 0; n < SINGLES_PER_FLOOD; n++) await single(desk);
}

type Line = { readonly workerId: string; readonly input: Input; readonly isKeyed: boolean };

async function sendLines(desk: Desk, lines: readonly Line[]): Promise<void> {
  const sentUs = nowUs();
  const batchId = `b${lines[0]?.input.n ?? 0}`;
  let line = 0;
  try {
    const wire = lines.map(({ workerId, input, isKeyed }) => ({
      worker_id: workerId,
      input,
      ...(isKeyed && { idempotency_key: keyOf(input) }),
    }));
    for await (const { ack, error } of sendBatch(desk.place, wire)) {
      const { workerId, input, isKeyed } = lines[line] as Line;
      const name = String(input.n);
      const keyed = isKeyed ? { key: keyOf(input), input } : {};
      const at = { sentUs, batch: batchId, line };
      if (ack !== undefined)
        desk.hear({ op: 'ack', workerId, name, inputId: (ack as { input_id: string }).input_id, ...keyed, ...at });
      else desk.hear({ op: 'refused', workerId, name, code: (error as { code: string }).code });
      line++;
    }
  } finally {
    for (const { workerId, input, isKeyed } of lines.slice(line))
      if (isKeyed) desk.keep({ workerId, name: String(input.n), input, key: keyOf(input), sentUs });
  }
}

/** An input whose handler tells others. */
export async function parent(desk: Desk): Promise<void> {
  const { random } = desk;
  const children = [];
  for (let child = 0; child < 3; child++)
    children.push(await desk.workerOf(`child${child}`, child === 0 ? 'crash-once' : 'crash-again'));
  const workerId = await desk.workerOf('parent', 'crash-parent');
  const workMs = random() < 0.5 ? { workMs: between(random, 1, MAX_WORK_MS) } : {};
  const input = { n: desk.nextNumber(), children: children.slice(0, between(random, 1, 3)), ...workMs };
  if (random() < 0.5) await waitFor(desk, workerId, input);
  else await tell(desk, workerId, input);
}

/** An input whose handler sets timers. */
export async function alarm(desk: Desk): Promise<void> {
  const { random } = desk;
  const delaysMs = Array.from({ length: between(random, 1, 3) }, () => between(random, 1, MAX_RING_MS));
  const workMs = random() < 0.5 ? { workMs: between(random, 1, MAX_WORK_MS) } : {};
  const workerId = await desk.workerOf('alarm', 'crash-alarm');
  await waitFor(desk, workerId, { n: desk.nextNumber(), delaysMs, ...workMs });
}

/** Reads on in a transcript: what was there once must stay. */
export function reader(desk: Desk): () => Promise<void> {
  const read = new Map<string, number>();
  return async () => {
    const workerId = desk.workerIds.length === 0 ? await desk.journalist() : oneOf(desk.random, desk.workerIds);
    const after = read.get(workerId) ?? 0;
    const { status, body } = await send(
      desk.place,
      'GET',
      `/v1/workers/${workerId}/transcript?after=${after}&limit=500`,
    );
    if (status !== 200) return;
    const { items } = body['transcript'] as { items: Entry[] };
    const [first, last] = [items[0], items.at(-1)];
    if (first === undefined || last === undefined) return;
    read.set(workerId, last.sequence);
    const range = { after: first.sequence - 1, to: last.sequence };
    desk.hear({ op: 'read', workerId, ...range, chain: chainOfEntries(items) });
  };
}
