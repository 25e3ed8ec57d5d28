// A worker, as a Backend sees it from afar: the verbs of the embedded API, each one request (`ask`: one and what follows it).
// Holds nothing but the id: handles are cheap, may be made anew for each call, and never tell whether the worker exists.

import { GreenroomError } from '../errors.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { isWorkerId } from '../protocol/worker-ids.ts';
import { encode } from '../protocol/payload.ts';
import type { ActorInput, ActorOutput, ActorShape } from '../protocol/shapes.ts';
import type {
  CancelAck,
  InputView,
  PeerView,
  Receipt,
  StopAck,
  TranscriptEntry,
  TranscriptPage,
  WorkerView,
} from '../protocol/views.ts';
import { noun } from './answers.ts';
import { ask, headersOf } from './ask.ts';
import { requireMs } from './options.ts';
import type { AskOptions, CallOptions, TellAllOptions, TellOptions, TranscriptOptions } from './options.ts';
import { tellAll } from './tell-all.ts';
import type { TellResult } from './tell-all.ts';
import type { Transport } from './transport.ts';

/** A stop is answered once the worker has stopped: draining, then cancelling, may come before it. */
const STOP_TIMEOUT_MS = DEFAULT_LIMITS.askTimeoutMs + DEFAULT_LIMITS.stopTimeoutMs + DEFAULT_LIMITS.cancelGraceMs;

export class WorkerHandle<Actor extends ActorShape = ActorShape> {
  readonly workerId: string;
  readonly #transport: Transport;
  readonly #path: string;

  constructor(transport: Transport, workerId: string) {
    if (!isWorkerId(workerId)) throw GreenroomError.of('invalid_worker_id');
    this.workerId = workerId;
    this.#transport = transport;
    this.#path = `/v1/workers/${workerId}`;
  }

  /**
   * Sends an input and waits for its outcome. Rejects with the error of every outcome but `completed`; with `timeout` when the
   * time, which starts now, is up (`details.input_id`, once known); with `cancelled` when `signal` aborts, and then cancels the input.
   */
  async ask(input: ActorInput<Actor>, options: AskOptions = {}): Promise<ActorOutput<Actor>> {
    return await ask(this.#transport, this.#path, input, options);
  }

  /** Sends an input; resolves once it is accepted. Aborting `signal` stops waiting for that and leaves the input alone. */
  async tell(input: ActorInput<Actor>, { deadlineMs, ...options }: TellOptions = {}): Promise<Receipt> {
    const headers = headersOf(options);
    if (deadlineMs !== undefined)
      headers['greenroom-deadline-ms'] = String(Math.ceil(requireMs('deadlineMs', deadlineMs)));
    const body = this.#transport.encodeBody(input);
    const isSafe = options.idempotencyKey !== undefined;
    return noun(
      await this.#transport.request({ method: 'POST', path: `${this.#path}/input`, body, headers }, options, isSafe),
      'ack',
    );
  }

  /** Sends inputs in one request, as `client.tellAll` does, all to this worker. */
  tellAll(
    inputs: Iterable<ActorInput<Actor>> | AsyncIterable<ActorInput<Actor>>,
    options: TellAllOptions = {},
  ): AsyncGenerator<TellResult, void, undefined> {
    return tellAll(
      this.#transport,
      { path: `${this.#path}/inputs`, lineOf: encode, envelopeBytes: 0 },
      inputs,
      options,
    );
  }

  /** Cancels one input, waiting or running; without an id the running one. Overtakes everything that waits. */
  async cancel({
    inputId,
    reason,
    ...options
  }: { inputId?: string | undefined; reason?: string | undefined } & CallOptions = {}): Promise<CancelAck> {
    const body = this.#transport.encodeBody({ input_id: inputId, reason });
    return noun(await this.#transport.request({ method: 'POST', path: `${this.#path}/cancel`, body }, options), 'ack');
  }

  /** Stops the worker; `drain` lets what waits run first. Resolves once it has stopped; waits longer than other calls do. */
  async stop({
    drain,
    reason,
    ...options
  }: { drain?: boolean | undefined; reason?: string | undefined } & CallOptions = {}): Promise<StopAck> {
    const body = this.#transport.encodeBody({ drain, reason });
    return noun(
      await this.#transport.request(
        { method: 'POST', path: `${this.#path}/stop`, body },
        options,
        false,
        STOP_TIMEOUT_MS,
      ),
      'ack',
    );
  }

  /** Starts a stopped or failed worker again from its state. */
  async restore(options: CallOptions = {}): Promise<WorkerView> {
    return noun(await this.#transport.request({ method: 'POST', path: `${this.#path}/restore` }, options), 'worker');
  }

  /** Forgets the worker and its state; `force` stops it first. Resolves to its last view. */
  async delete({ force, ...options }: { force?: boolean | undefined } & CallOptions = {}): Promise<WorkerView> {
    const path = force === true ? `${this.#path}?force=true` : this.#path;
    return noun(await this.#transport.request({ method: 'DELETE', path }, options, false, STOP_TIMEOUT_MS), 'worker');
  }

  /** Rejects with `unsupported_operation` for a remote or a group, which `client.peer` shows. */
  async view(options: CallOptions = {}): Promise<WorkerView> {
    const answer = await this.#transport.request({ method: 'GET', path: this.#path }, options);
    const view = noun<WorkerView | PeerView>(answer, 'worker');
    if ('connectedAt' in view) throw GreenroomError.of('unsupported_operation');
    return view;
  }

  /** What has become of an input. Receipts of ended inputs are kept for a bounded count and time. */
  async input(inputId: string, options: CallOptions = {}): Promise<InputView> {
    return noun(
      await this.#transport.request(
        { method: 'GET', path: `${this.#path}/inputs/${encodeURIComponent(inputId)}` },
        options,
      ),
      'input',
    );
  }

  /**
   * The entries with a higher sequence than `after`, oldest first; ends at the newest one. After 0 (the default) it begins with the
   * oldest that is kept. Throws `transcript_trimmed` when entries that it should give next have been trimmed, unless `skipTrimmed` is
   * set: then it goes on with the oldest that is kept. `timeoutMs` is for each page.
   */
  async *transcript({ after = 0, skipTrimmed = false, ...options }: TranscriptOptions = {}): AsyncGenerator<
    TranscriptEntry,
    void,
    undefined
  > {
    let page: TranscriptPage;
    let next = after;
    do {
      page = await this.#page(next, skipTrimmed, options);
      yield* page.items;
      if (page.hasMore && page.nextAfter <= next)
        throw GreenroomError.of('internal', { message: 'The transcript does not move on.' });
      next = page.nextAfter;
    } while (page.hasMore);
  }

  async #page(after: number, skipTrimmed: boolean, options: CallOptions): Promise<TranscriptPage> {
    for (let from = after; ;) {
      try {
        const path = `${this.#path}/transcript?after=${from}`;
        return noun(await this.#transport.request({ method: 'GET', path }, options), 'transcript');
      } catch (thrown) {
        const resumeAfter = skipTrimmed ? resumeAfterOf(thrown) : null;
        if (resumeAfter === null || resumeAfter <= from) throw thrown;
        from = resumeAfter;
      }
    }
  }
}

/** Where a reader can go on that has fallen behind what is kept; null if that is not what is wrong. */
function resumeAfterOf(thrown: unknown): number | null {
  const { code, details } = thrown as Partial<GreenroomError>;
  const resumeAfter = code === 'transcript_trimmed' ? details?.['resume_after'] : undefined;
  return typeof resumeAfter === 'number' ? resumeAfter : null;
}
