// `ctx`: what an actor sees while it handles one input. One object per input, so that code which outlives its input
// cannot act in the name of the next one: after the end, emitting is refused and the state is out of reach.

import type { Readable, Writable } from 'node:stream';
import type {
  ActorChannel,
  ActorContext,
  ActorLog,
  FunctionQuery,
  FunctionView,
  RepeatOptions,
  TimerOptions,
} from '../actor.ts';
import type { MessagePack } from '../channels/pack.ts';
import { requireChannelRef } from '../protocol/channel-ref.ts';
import type { ChannelOptions, ChannelRef } from '../protocol/channel-ref.ts';
import { readableOf, writableOf } from '../channels/streams.ts';
import type { ReadableOptions } from '../channels/streams.ts';
import { GreenroomError } from '../errors.ts';
import { MAX_KEEP_AWAKE_CHARS } from '../limits.ts';
import { decode, encode, payloadBytes, requireSize } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { requireDelay, requireRepeat } from '../protocol/schedule.ts';
import { requireTimerName } from '../protocol/timer-names.ts';
import { WireReadEnd, WireWriteEnd } from './channel-ends.ts';
import type { RuntimeServices, Calls } from './services.ts';

/** What a context needs of the worker that it belongs to, and of the host around it. */
export interface ContextOwner {
  readonly workerId: string;
  readonly config: unknown;
  state: unknown;
  readonly host: ContextHost;
  /** It has crashed: what its code still asks for is refused. */
  readonly isGone: boolean;
}

export interface ContextHost {
  readonly inputIdPrefix: string;
  readonly maxMessageBytes: number;
  readonly services: Calls<RuntimeServices>;
  /** Whether failures that nothing waits for are to be told from each other by worker. */
  readonly isBlaming: boolean;
  /** Reads the control lane now, even from within a synchronous loop. */
  readControl(): void;
  emit(owner: ContextOwner, seq: number, data: Payload): void;
  log(workerId: string, level: keyof ActorLog, message: string, fields: Record<string, unknown>): void;
  /** Counts a call to the runtime as pending until it settles; refuses when too many are. */
  track<T>(call: () => Promise<T>): Promise<T>;
}

export class InputContext implements ActorContext {
  readonly #owner: ContextOwner;
  readonly #seq: number;
  readonly attempt: number;
  #cancelReason: string | null = null;
  #ended = false;
  #requests: Promise<unknown> | null = null;
  /** How often it has been asked to stay awake. */
  #kept = 0;
  /** Timers that it has set without a name. */
  #timers = 0;
  readonly #isLast: boolean;
  /** Made when somebody looks at `signal`: most handlers never do. */
  #abort: AbortController | null = null;

  /** `isLast`: for `stopped`, which goes by the number of the input before. */
  constructor(owner: ContextOwner, seq: number, attempt: number, isLast = false) {
    this.#isLast = isLast;
    this.#owner = owner;
    this.#seq = seq;
    this.attempt = attempt;
  }

  get workerId(): string {
    return this.#owner.workerId;
  }

  get inputId(): string {
    return this.#owner.host.inputIdPrefix + String(this.#seq);
  }

  get config(): unknown {
    return this.#owner.config;
  }

  get state(): unknown {
    this.#requireOpen();
    return this.#owner.state;
  }

  set state(state: unknown) {
    this.#requireOpen();
    this.#owner.state = state;
  }

  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#cancelReason !== null) this.#abort.abort(this.#cancelError());
    }
    return this.#abort.signal;
  }

  get cancelled(): boolean {
    if (this.#cancelReason === null) this.#owner.host.readControl();
    return this.#cancelReason !== null;
  }

  checkpoint(): void {
    if (this.cancelled) throw this.#cancelError();
  }

  emit(data: unknown): void {
    this.#requireOpen();
    const text = encode(data, 'invalid_output');
    requireSize(payloadBytes(text), this.#owner.host.maxMessageBytes, 'emit');
    this.#owner.host.emit(this.#owner, this.#seq, text);
  }

  get log(): ActorLog {
    const write =
      (level: keyof ActorLog) =>
      (message: string, fields: Record<string, unknown> = {}) =>
        this.#owner.host.log(this.workerId, level, message, fields);
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  }

  async ask(workerId: string, input: unknown, options: { timeoutMs?: number } = {}): Promise<unknown> {
    const payload = this.#outgoing(input);
    const output = await this.#call((services) =>
      services.ask(this.workerId, this.#seq, workerId, payload, options.timeoutMs ?? null),
    );
    return decode(output);
  }

  async tell(workerId: string, input: unknown): Promise<string> {
    const payload = this.#outgoing(input);
    return this.#call((services) => services.tell(this.workerId, this.#seq, workerId, payload));
  }

  async create(request: { kind: string; workerId?: string; config?: unknown; displayName?: string }): Promise<string> {
    const config = this.#outgoing(request.config ?? {});
    const { kind, workerId = null, displayName = null } = request;
    return this.#call((services) => services.create(this.workerId, kind, workerId, config, displayName));
  }

  async stop(workerId: string, options: { drain?: boolean; reason?: string } = {}): Promise<void> {
    await this.#call((services) =>
      services.stop(this.workerId, workerId, options.drain ?? false, options.reason ?? null),
    );
  }

  async watch(workerId: string): Promise<void> {
    await this.#call((services) => services.watch(this.workerId, workerId));
  }

  async unwatch(workerId: string): Promise<void> {
    await this.#call((services) => services.unwatch(this.workerId, workerId));
  }

  async invoke(
    functionId: string,
    payload: unknown,
    options: { timeoutMs?: number; metadata?: unknown } = {},
  ): Promise<unknown> {
    const encoded = this.#outgoing(payload ?? null);
    const metadata = options.metadata === undefined ? null : this.#outgoing(options.metadata);
    const output = await this.#call((services) =>
      services.invoke(this.workerId, this.#seq, functionId, encoded, metadata, options.timeoutMs ?? null),
    );
    return decode(output);
  }

  async functions(query: FunctionQuery = {}): Promise<{ functions: FunctionView[]; nextAfter: string | null }> {
    // As text: what an author passes may be something that cannot be cloned.
    const encoded = this.#outgoing(query);
    const page = await this.#call((services) => services.functions(this.workerId, encoded));
    return decode(page) as { functions: FunctionView[]; nextAfter: string | null };
  }

  after(delayMs: number, input: unknown, options: TimerOptions = {}): string {
    this.#requireOpen();
    requireDelay(delayMs);
    const payload = this.#outgoing(input);
    const name = this.#timerName(options.name);
    this.#request('timer refused', (services) => services.after(this.workerId, this.#seq, name, delayMs, payload));
    return name;
  }

  every(every: number | string, input: unknown, options: RepeatOptions = {}): string {
    this.#requireOpen();
    const repeat = requireRepeat(every, options.timeZone);
    const payload = this.#outgoing(input);
    const name = this.#timerName(options.name);
    this.#request('timer refused', (services) => services.every(this.workerId, this.#seq, name, repeat, payload));
    return name;
  }

  cancelTimer(name: string): void {
    this.#requireOpen();
    requireTimerName(name);
    this.#request('timer not cancelled', (services) => services.cancelTimer(this.workerId, this.#seq, name));
  }

  keepAwake(reason: string): () => void {
    this.#requireOpen();
    if (typeof reason !== 'string' || reason === '' || reason.length > MAX_KEEP_AWAKE_CHARS)
      throw GreenroomError.of('invalid_request', {
        message: `A reason is a text of 1 to ${MAX_KEEP_AWAKE_CHARS} characters.`,
      });
    const { workerId, host } = this.#owner;
    // Its own in every life of the worker: a release that comes late must not be taken for that of another.
    const handle = `${this.#seq}.${++this.#kept}`;
    this.#request('keepAwake refused', (services) => services.keepAwake(workerId, handle, reason));
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      // After the death of its host there is nothing to take back.
      host.services.release(workerId, handle).catch(() => undefined);
    };
  }

  async channel(options: ChannelOptions = {}): Promise<ActorChannel> {
    const { bufferMessages } = options;
    const refs = await this.#call((services) => services.createChannel(this.workerId, { bufferMessages }));
    return {
      ...refs,
      readable: (readableOptions) => this.openChannel(refs.reader, readableOptions),
      writable: () => this.openChannel(refs.writer),
    };
  }

  openChannel(ref: ChannelRef<'read'>, options?: ReadableOptions): Promise<Readable>;
  openChannel(ref: ChannelRef<'write'>): Promise<Writable>;
  openChannel(ref: ChannelRef, options?: ReadableOptions): Promise<Readable | Writable>;
  async openChannel(given: ChannelRef, options?: ReadableOptions): Promise<Readable | Writable> {
    const ref = requireChannelRef(given);
    const { workerId, host } = this.#owner;
    const handle = await this.#call((services) => services.takeChannel(workerId, ref));
    const calls = {
      read: () => host.services.readChannel(workerId, handle),
      write: (pack: MessagePack) => host.services.writeChannel(workerId, handle, pack),
      end: (isWhole: boolean) => host.services.endChannel(workerId, handle, isWhole),
    };
    const stream =
      ref.direction === 'read' ? readableOf(new WireReadEnd(calls), options) : writableOf(new WireWriteEnd(calls));
    // What waits on it while its input is cancelled would keep the handler from ending.
    const cancel = (): unknown => stream.destroy(this.#cancelError());
    if (this.signal.aborted) cancel();
    else this.signal.addEventListener('abort', cancel, { once: true });
    // An error that nobody listens to would end every worker on this host. Who reads or writes learns of it all the same.
    return stream.on('error', (error: GreenroomError) => {
      if (stream.listenerCount('error') === 1) host.log(workerId, 'warn', 'a channel failed', { code: error.code });
    });
  }

  // --- for the runner ---

  cancel(reason: string): void {
    if (this.#cancelReason !== null || this.#ended) return;
    this.#cancelReason = reason;
    this.#abort?.abort(this.#cancelError());
  }

  get cancelReason(): string | null {
    return this.#cancelReason;
  }

  /** Resolves when the runtime knows all that the handler has asked for without waiting; null if it does. Never rejects. */
  get pending(): Promise<unknown> | null {
    return this.#requests;
  }

  get isCancelled(): boolean {
    return this.#cancelReason !== null;
  }

  end(): void {
    this.#ended = true;
  }

  // --- private ---

  #cancelError(): GreenroomError {
    return GreenroomError.of('cancelled', { details: { reason: this.#cancelReason } });
  }

  #requireOpen(): void {
    if (this.#ended || this.#owner.isGone)
      throw GreenroomError.of('unsupported_operation', { message: 'This input has ended.' });
  }

  /** By default one that no other input of this worker has given, in whatever life: its number, and the how many-th it is of that input. */
  #timerName(name: string | undefined): string {
    if (name !== undefined) return requireTimerName(name);
    return `timer:${this.#seq}${this.#isLast ? '.stopped' : ''}.${++this.#timers}`;
  }

  #outgoing(value: unknown): string {
    const text = encode(value);
    requireSize(payloadBytes(text), this.#owner.host.maxMessageBytes, 'ask');
    return text;
  }

  /** Asks for something that the handler does not wait for. Its outcome does: it must not overtake what belongs to it. */
  #request(refusal: string, call: (services: Calls<RuntimeServices>) => Promise<unknown>): void {
    const asked = this.#call(call).catch((error: unknown) => {
      const code = error instanceof GreenroomError ? error.code : 'internal';
      this.#owner.host.log(this.workerId, 'error', refusal, { code });
    });
    const all: Promise<unknown> = this.#requests === null ? asked : Promise.all([this.#requests, asked]);
    this.#requests = all;
    void all.then(() => {
      if (this.#requests === all) this.#requests = null;
    });
  }

  #call<T>(call: (services: Calls<RuntimeServices>) => Promise<T>): Promise<T> {
    if (this.#owner.isGone) return Promise.reject(crashedError());
    return this.#owner.host.track(() => call(this.#owner.host.services));
  }
}

function crashedError(): GreenroomError {
  return GreenroomError.of('unsupported_operation', {
    message: 'The worker has crashed; this is what it left behind.',
  });
}
