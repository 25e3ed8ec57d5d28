// A worker as the embedding Backend sees it: an id and the verbs. Holds nothing else, so handles are cheap and never stale.

import { asGreenroomError, GreenroomError } from '../errors.ts';
import { decode } from '../protocol/payload.ts';
import type { Body } from '../protocol/frames.ts';
import type { ActorInput, ActorOutput, ActorShape } from '../protocol/shapes.ts';
import type {
  CancelAck,
  Durability,
  InputView,
  Receipt,
  StopAck,
  TranscriptEntry,
  WorkerView,
} from '../protocol/views.ts';
import { awaitOutput, requireDurability, requireTimeout, untilAccepted } from './asking.ts';
import type { InputInfo } from './input.ts';
import type { CancelRequest } from './options.ts';
import { receiptOf } from './receipts.ts';
import type { StopRequest } from './stopping.ts';
import type { Supervisor } from './supervisor.ts';

export interface AskOptions {
  /** From the acceptance of the input. Default `limits.askTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Aborting cancels the input. */
  readonly signal?: AbortSignal | undefined;
  /** 1 to 255 characters. The same key with the same input is the same input, and is answered with its outcome. */
  readonly idempotencyKey?: string | undefined;
  /** `volatile`: kept in memory only, and not waited for. Default: as the actor says. */
  readonly durability?: Durability | undefined;
}

export interface TranscriptOptions {
  /** A sequence. Default 0. */
  readonly after?: number | undefined;
  /** Goes on with the oldest entry that is kept, instead of throwing `transcript_trimmed`. Default false. */
  readonly skipTrimmed?: boolean | undefined;
}

export interface TellOptions {
  readonly idempotencyKey?: string | undefined;
  /** An input that has not started within this time ends as `expired`. Default: it waits. */
  readonly deadlineMs?: number | undefined;
  /** `durable`: resolves when it is on disk, if the store is. `volatile`: kept in memory only. Default: as the actor says. */
  readonly durability?: Durability | undefined;
}

const NO_OPTIONS: TellOptions = Object.freeze({});
/** Entries read from the store at a time. */
const PAGE_ITEMS = 256;

export class WorkerHandle<Actor extends ActorShape = ActorShape> {
  readonly workerId: string;
  readonly #supervisor: Supervisor;

  constructor(supervisor: Supervisor, workerId: string) {
    this.#supervisor = supervisor;
    this.workerId = workerId;
  }

  /**
   * Sends an input and waits for its outcome. Resolves to the actor's result. Rejects with what the input is refused with
   * (`worker_busy`, `invalid_input`, `payload_too_large`, …) or with the error of its outcome: the actor's own code,
   * `actor_error`, `cancelled`, `expired` (it never ran), `timeout` (it runs on), `host_lost`.
   */
  ask(input: ActorInput<Actor>, options: AskOptions = {}): Promise<ActorOutput<Actor>> {
    const { timeoutMs = this.#supervisor.limits.askTimeoutMs, signal, idempotencyKey, durability } = options;
    // Not an async function: this one promise is all that an ask needs.
    try {
      // An abort that was there first: nothing is sent.
      if (signal?.aborted === true) throw GreenroomError.of('cancelled', { cause: signal.reason });
      const record = this.#supervisor.deliverValue(this.workerId, input, {
        deadlineMs: requireTimeout(timeoutMs),
        idempotencyKey,
        durability: requireDurability(durability),
      });
      return awaitOutput(this.#supervisor, record, readOutput<Actor>, signal);
    } catch (refusal) {
      return Promise.reject(asGreenroomError(refusal));
    }
  }

  /** Sends an input; resolves once it is accepted. */
  async tell(input: ActorInput<Actor>, options: TellOptions = NO_OPTIONS): Promise<Receipt> {
    if (options.deadlineMs !== undefined) requireTimeout(options.deadlineMs);
    requireDurability(options.durability);
    const record = this.#supervisor.deliverValue(this.workerId, input, options);
    return receiptOf(await untilAccepted(record, this.#supervisor.wheel));
  }

  /** Cancels an input, or whatever is running. Acknowledged at once; the outcome follows. Rejects with `input_not_found`. */
  async cancel(request: CancelRequest = {}): Promise<CancelAck> {
    return this.#supervisor.cancel(this.workerId, request);
  }

  /** Resolves once the worker has stopped. */
  stop(request: StopRequest = {}): Promise<StopAck> {
    return this.#supervisor.stop(this.workerId, request);
  }

  /** Starts a stopped or failed worker again, from its state. Rejects with `worker_active` or `worker_stopping`. */
  restore(): Promise<WorkerView> {
    return this.#supervisor.restore(this.workerId);
  }

  /** Forgets the worker. Rejects with `worker_active` unless it has ended, or `force` is set. Resolves to its last view. */
  delete(request: { readonly force?: boolean | undefined } = {}): Promise<WorkerView> {
    return this.#supervisor.delete(this.workerId, request);
  }

  /** Throws `worker_not_found`. */
  view(): WorkerView {
    return this.#supervisor.view(this.workerId);
  }

  /** What became of an input, while its receipt is kept. Throws `input_not_found`. */
  input(inputId: string): InputView {
    return inputView(this.#supervisor.input(this.workerId, inputId));
  }

  /**
   * The entries after a sequence, oldest first, up to the newest; ends there. After 0 (the default) it begins with the oldest that is
   * kept. Throws `transcript_trimmed` when entries that it should give next have been trimmed, unless `skipTrimmed` is set.
   */
  async *transcript(options: TranscriptOptions = {}): AsyncGenerator<TranscriptEntry> {
    const { skipTrimmed } = options;
    let after = options.after ?? 0;
    for (let hasMore = true; hasMore;) {
      const page = this.#supervisor.transcript(this.workerId, { after, limit: PAGE_ITEMS, skipTrimmed });
      for (const { sequence, atMs, type, inputId, data } of page.items) {
        yield {
          sequence,
          at: new Date(atMs).toISOString(),
          type,
          ...(inputId !== null && { inputId }),
          data: decode(data),
        };
      }
      ({ nextAfter: after, hasMore } = page);
    }
  }
}

function readOutput<Actor extends ActorShape>(output: Body): ActorOutput<Actor> {
  return output.value();
}

function inputView(record: InputInfo): InputView {
  const { workerId, inputId, status, outcome, output, error, attempt, acceptedAtMs, startedAtMs, endedAtMs } = record;
  return {
    workerId,
    inputId,
    status,
    attempt,
    ...(outcome !== null && { outcome }),
    ...(output !== null && { output: decode(output) }),
    ...(error !== null && { error }),
    acceptedAt: new Date(acceptedAtMs).toISOString(),
    ...(startedAtMs > 0 && { startedAt: new Date(startedAtMs).toISOString() }),
    ...(endedAtMs > 0 && { endedAt: new Date(endedAtMs).toISOString() }),
  };
}
