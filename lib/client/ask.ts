// An ask over HTTP: hand over the input, let the runtime hold the answer back for a while (`Prefer: wait`), then look again until
// there is an outcome or the time is up. What must hold: whoever gives up knows the input's id, if the runtime has told it.
// The request that hands the input over is never torn down by the caller's signal: without its answer nobody knows what to cancel.

import { GreenroomError, isErrorCode } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { InputResult, InputView, Receipt } from '../protocol/views.ts';
import { noun } from './answers.ts';
import type { Answer } from './answers.ts';
import type { Call } from './call.ts';
import { requireDurability, requireIdempotencyKey } from './options.ts';
import type { AskOptions } from './options.ts';
import type { Transport } from './transport.ts';

/** Kept of the time, but no more than a quarter of it, for the receipt to come back: a timeout should name the input. */
const RECEIPT_MARGIN_MS = 250;
/** Proxies cut requests that say nothing for a minute; what takes longer is looked up. */
const MAX_HELD_MS = 30_000;
/** With a signal the wait is short: the input's id, which a cancel needs, comes back no later than this. */
const MAX_ABORTABLE_HELD_MS = 250;
/** Shortest and longest pause between looks; in between it is a quarter of the time that has passed. */
const MIN_POLL_MS = 5;
const MAX_POLL_MS = 500;
/** For the cancel after an abort, the rest of the hand-over included. */
const CANCEL_TIMEOUT_MS = 5_000;

type Ended = Pick<InputResult, 'outcome' | 'output' | 'error'>;

/** @param path of the worker, `/v1/workers/ID` */
export async function ask(transport: Transport, path: string, input: unknown, options: AskOptions): Promise<unknown> {
  const body = transport.encodeBody(input);
  const inputHeaders = headersOf(options);
  const call = transport.open(options);
  const handOver = transport.openInBackground(call.remainingMs);
  let posted: Promise<Answer> | undefined;
  let inputId: string | undefined;
  let ended: Ended;
  try {
    const answer = await call.attempts(options.idempotencyKey !== undefined, () => {
      const headers = { ...inputHeaders, ...waitHeaders(call.remainingMs, options.signal !== undefined) };
      posted = transport.exchange(handOver, { method: 'POST', path: `${path}/input`, body, headers, waits: true });
      return call.race(posted);
    });
    if (answer['result'] === undefined) inputId = noun<Receipt>(answer, 'ack').inputId;
    ended =
      inputId === undefined
        ? noun<InputResult>(answer, 'result')
        : await poll(transport, call, `${path}/inputs/${encodeURIComponent(inputId)}`);
  } catch (error) {
    if (options.signal?.aborted === true && posted !== undefined)
      transport.inBackground(cancel(transport, path, posted, handOver));
    else handOver.end(error);
    throw inputId === undefined ? error : withInputId(error, inputId);
  } finally {
    call[Symbol.dispose]();
  }
  handOver[Symbol.dispose]();
  return outputOf(ended);
}

/** Throws `invalid_request`. */
export function headersOf({ idempotencyKey, durability }: AskOptions): Record<string, string> {
  return {
    ...(idempotencyKey !== undefined && { 'idempotency-key': requireIdempotencyKey(idempotencyKey) }),
    ...(durability !== undefined && { 'greenroom-durability': requireDurability(durability) }),
  };
}

/** The output of what completed; throws the error of everything else, as an embedded ask does. */
function outputOf({ outcome, output, error }: Ended): unknown {
  if (outcome === 'completed') return output ?? null; // an output is JSON: there is always one
  throw error === undefined
    ? GreenroomError.of('internal', { message: 'The answer has neither output nor error.' })
    : GreenroomError.fromWire(error);
}

/** The input expires at the runtime when the caller's time is up before it could start. A runtime that knows no fractions does not wait. */
function waitHeaders(remainingMs: number, isAbortable: boolean): Record<string, string> {
  const marginMs = Math.min(RECEIPT_MARGIN_MS, remainingMs / 4);
  const heldMs = Math.min(isAbortable ? MAX_ABORTABLE_HELD_MS : MAX_HELD_MS, remainingMs - marginMs);
  return {
    'greenroom-deadline-ms': String(Math.max(1, Math.ceil(remainingMs))),
    prefer: `wait=${Number((heldMs / 1_000).toFixed(3))}`,
  };
}

/** Looks until the input has ended; the call's deadline ends it otherwise. */
async function poll(transport: Transport, call: Call, path: string): Promise<Ended> {
  for (;;) {
    await call.sleep(Math.min(MAX_POLL_MS, Math.max(MIN_POLL_MS, call.elapsedMs / 4)));
    const answer = await call.attempts(true, () => transport.exchange(call, { method: 'GET', path }));
    const { status, outcome, ...rest } = noun<InputView>(answer, 'input');
    if (status === 'ended') return { ...rest, outcome: outcome ?? 'unknown' };
  }
}

/** Waits for the id, which the request under way brings, and cancels that input. */
async function cancel(transport: Transport, path: string, posted: Promise<Answer>, handOver: Call): Promise<void> {
  const call = transport.openInBackground(CANCEL_TIMEOUT_MS);
  try {
    const answer = await call.race(posted);
    if (answer['result'] !== undefined) return;
    const body = transport.encodeBody({
      input_id: noun<Receipt>(answer, 'ack').inputId,
      reason: 'The caller aborted the ask.',
    });
    await transport.exchange(call, { method: 'POST', path: `${path}/cancel`, body });
  } catch (error) {
    handOver.end(error);
    throw error;
  } finally {
    handOver[Symbol.dispose]();
    call[Symbol.dispose]();
  }
}

/** Failures of the waiting, not of the input. */
const ABANDONED: readonly string[] = ['timeout', 'cancelled', 'runtime_unavailable'] satisfies ErrorCode[];

/** The input lives on while its sender has given up: its id is what the sender needs to find it again. */
function withInputId(error: unknown, inputId: string): unknown {
  if (!(error instanceof GreenroomError)) return error;
  const { code, message, status, details, cause } = error;
  if (!isErrorCode(code) || !ABANDONED.includes(code)) return error;
  return GreenroomError.of(code, { message, status, details: { ...details, input_id: inputId }, cause });
}
