// The connection to one MCP server, made again whenever it ends: after a pause that grows, and, for a process, as often as the restart policy
// allows. Whoever asks for it meanwhile is told what became of the next attempt.

import { performance } from 'node:perf_hooks';
import { ProtocolError } from '@modelcontextprotocol/client';
import type { Client, Transport } from '@modelcontextprotocol/client';
import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import { describeError } from '../observe/log.ts';
import { jittered, joined } from '../protocol/waits.ts';
import type { SourceHealth } from '../sources/source.ts';
import { CHANGES_MS, CHECK_TIMEOUT_MS, FIRST_PAUSE_MS, MAX_PAUSE_MS } from './bounds.ts';
import { connect } from './connect.ts';
import type { ConnectParts, Live } from './connect.ts';
import { givenUp, toFailure } from './failures.ts';
import { keepSubscribed } from './subscription.ts';

export interface ConnectionParts extends ConnectParts {
  readonly limits: Limits;
  /** Says goodbye, before the transport is closed. */
  leave?(transport: Transport): Promise<void>;
  /** There is a connection that nobody has asked for just now. */
  onReconnected(): void;
  onHealth(health: SourceHealth): void;
}

interface Waiter {
  resolve(client: Client): void;
  reject(error: GreenroomError): void;
}

export class Connection {
  readonly #parts: ConnectionParts;
  /** Aborts when it is closed for good. */
  readonly #closing = new AbortController();
  readonly #waiters = new Set<Waiter>();
  #health: SourceHealth = { status: 'connecting', error: null };
  #live: Live | null = null;
  /** Ends a pause. */
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;
  /** When connections, or attempts, have ended; those within the window. */
  #endsMs: number[] = [];
  readonly #memory = { isOlder: false };
  #isChecking = false;
  #telling: NodeJS.Timeout | null = null;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
  }

  /** Null while there is none. */
  get client(): Client | null {
    return this.#live?.client ?? null;
  }

  get health(): SourceHealth {
    return this.#health;
  }

  /** The connection; if there is none, what becomes of the next attempt, which then begins at once. Settles within `startTimeoutMs`, and the grace of a process that has to go first. */
  ready(signal: AbortSignal): Promise<Client> {
    const { client } = this;
    if (client !== null) return Promise.resolve(client);
    if (signal.aborted || this.#closing.signal.aborted) return Promise.reject(GreenroomError.of('cancelled'));
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        resolve: (found) => (settle(), resolve(found)),
        reject: (error) => (settle(), reject(error)),
      };
      const onAbort = (): void => waiter.reject(GreenroomError.of('cancelled'));
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      this.#running ??= this.#run();
      this.#wake?.();
    });
  }

  /** A request found nobody: asks whether the server is there, and ends the connection if it is not. */
  check(): void {
    const { client } = this;
    if (client === null || this.#isChecking) return;
    this.#isChecking = true;
    const options = { timeout: CHECK_TIMEOUT_MS };
    const answer = client.getProtocolEra() === 'modern' ? client.discover(options) : client.ping(options);
    void answer.then(
      () => (this.#isChecking = false),
      (thrown: unknown) => {
        this.#isChecking = false;
        // A refusal is an answer too.
        if (this.client === client && !(thrown instanceof ProtocolError)) this.lose();
      },
    );
  }

  /** Ends the connection as if it had ended by itself: another is made. */
  lose(): void {
    void this.#live?.client.close();
  }

  /** For good. */
  async close(): Promise<void> {
    const live = this.#live;
    this.#closing.abort(GreenroomError.of('cancelled'));
    clearTimeout(this.#telling ?? undefined);
    if (live !== null) await this.#parts.leave?.(live.transport);
    this.#wake?.();
    await live?.client.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const failure = await this.#attempt();
      if (this.#closing.signal.aborted) break;
      const pauseMs = this.#pauseMs();
      this.#settleWaiters((waiter) => waiter.reject(failure));
      const error = pauseMs === null ? givenUp() : failure;
      this.#setHealth({ status: pauseMs === null ? 'failed' : 'connecting', error: error.code });
      this.#parts.log.warn(
        { source: this.#parts.name, code: failure.code, pause_ms: pauseMs, ...describeError(failure) },
        'an MCP server is not connected',
      );
      await this.#pause(pauseMs);
      // Somebody has asked for it to be tried again.
      if (pauseMs === null) this.#endsMs = [];
    }
    this.#settleWaiters((waiter) => waiter.reject(GreenroomError.of('cancelled')));
  }

  /** Resolves, with the reason, when there is no connection any more. */
  async #attempt(): Promise<GreenroomError> {
    try {
      const live = await this.#connect();
      this.#live = live;
      this.#setHealth({ status: 'available', error: null });
      const isAskedFor = this.#waiters.size > 0;
      this.#settleWaiters((waiter) => waiter.resolve(live.client));
      if (!isAskedFor) this.#parts.onReconnected();
      await this.#whileOpen(live);
      return GreenroomError.of('invocation_stopped', { message: 'The connection to the MCP server has ended.' });
    } catch (thrown) {
      return toFailure(thrown, this.#parts.limits.maxMessageBytes);
    } finally {
      this.#live = null;
    }
  }

  async #whileOpen({ client, ended }: Live): Promise<void> {
    const over = new AbortController();
    const events = { reopened: () => this.#tellChange(), failed: () => this.check() };
    const subscribed = keepSubscribed(client, over.signal, events);
    await ended;
    over.abort();
    await subscribed;
  }

  async #connect(): Promise<Live> {
    const deadline = { ms: this.#parts.limits.startTimeoutMs, message: 'The MCP server was not ready in time.' };
    const { signal, release } = joined([this.#closing.signal], deadline);
    try {
      const parts = { ...this.#parts, onToolsChanged: () => this.#tellChange() };
      return await connect(parts, this.#memory, signal);
    } finally {
      release();
    }
  }

  /** Once for all changes within a while. */
  #tellChange(): void {
    if (this.#telling !== null || this.#closing.signal.aborted) return;
    this.#telling = setTimeout(() => {
      this.#telling = null;
      this.#parts.onToolsChanged();
    }, CHANGES_MS);
  }

  /** From now to the next attempt; null for none. */
  #pauseMs(): number | null {
    const { limits, isProcess } = this.#parts;
    const nowMs = performance.now();
    this.#endsMs = [...this.#endsMs.filter((atMs) => nowMs - atMs < limits.restartWindowMs), nowMs];
    const ends = this.#endsMs.length;
    if (isProcess && ends > limits.maxRestarts) return null;
    return jittered(Math.min(FIRST_PAUSE_MS * 2 ** (ends - 1), MAX_PAUSE_MS));
  }

  #pause(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(() => this.#wake?.(), ms);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      if (this.#waiters.size > 0 || this.#closing.signal.aborted) this.#wake();
    });
  }

  #settleWaiters(settle: (waiter: Waiter) => void): void {
    for (const waiter of [...this.#waiters]) settle(waiter);
  }

  #setHealth(health: SourceHealth): void {
    const { status, error } = this.#health;
    if (status === health.status && error === health.error) return;
    this.#health = health;
    this.#parts.onHealth(health);
  }
}
