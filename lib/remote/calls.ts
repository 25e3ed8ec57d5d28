// The calls that a remote makes, and how each of them ends: with its answer, or at once when there can be none any more. The SDK leaves
// calls to their timeout when the connection drops; here they end with the connection that they were sent on.
// Calls that wait for a connection wait on, unless the runtime has refused it in a way that another attempt will not change.

import type { TriggerRequest } from 'iii-sdk/protocol';
import { RemoteError, TOO_LARGE } from './errors.ts';
import { requireTimeoutMs } from './options.ts';
import type { Outgoing } from './outgoing.ts';
import type { ConnectionState, Sdk } from './seam.ts';

export interface RemoteRequest<Input = unknown> extends TriggerRequest<Input> {
  /** Stops waiting: the call rejects with `cancelled` and the signal's reason as its cause. What was sent has been sent. */
  readonly signal?: AbortSignal | undefined;
}

/** The close code of a peer that got a frame above what it reads. */
const TOO_BIG = 1009;
/** What the SDK rejects with by itself when its timer fires. */
const TIMED_OUT = 'TIMEOUT';

export class Calls {
  readonly #sdk: Sdk;
  readonly #outgoing: Outgoing;
  readonly #trigger: Sdk['trigger'];
  #closeCode: number | undefined;
  /** Why there will be no connection again. */
  #end: RemoteError | undefined;

  constructor(sdk: Sdk, outgoing: Outgoing) {
    this.#sdk = sdk;
    this.#outgoing = outgoing;
    this.#trigger = sdk.trigger.bind(sdk);
  }

  /** In place of the SDK's `trigger`. Rejects with RemoteError; with `invalid_option` for a `timeoutMs` that is none. */
  async trigger(request: RemoteRequest): Promise<unknown> {
    const { function_id: functionId, signal } = request;
    requireTimeoutMs('timeoutMs', request.timeoutMs);
    if (signal?.aborted === true) throw RemoteError.of('cancelled', { functionId, cause: signal.reason });
    if (this.#end !== undefined) throw this.#end;
    this.#outgoing.lastCallId = undefined;
    const answer = this.#trigger(request);
    // The SDK has made the id and sent the frame by now, or kept it, or refused it.
    const invocationId = this.#outgoing.lastCallId;
    const stopListening = invocationId === undefined ? undefined : this.#listen(invocationId, request);
    try {
      return await answer;
    } catch (thrown) {
      throw toRemoteError(thrown, functionId);
    } finally {
      stopListening?.();
      if (invocationId !== undefined) this.#outgoing.forget(invocationId);
    }
  }

  /** Told of each change before the SDK acts on it. */
  stateChanged(state: ConnectionState): void {
    switch (state) {
      case 'connecting':
      case 'reconnecting':
        return;
      case 'connected':
        this.#outgoing.flushed();
        this.#closeCode = undefined;
        // The SDK's own listener tells of the loss, without the code, and was there first.
        this.#sdk.ws?.prependOnceListener('close', (code) => {
          this.#closeCode = code;
        });
        return;
      case 'disconnected':
        return this.#endSent();
      case 'failed':
        this.#end = RemoteError.of('runtime_unavailable', { message: 'The last attempt to connect has failed.' });
        return this.#endQueued(() => this.#end as RemoteError);
      default:
        return state satisfies never;
    }
  }

  /** The runtime answered the upgrade itself. A refusal that will be repeated is told to whoever waits for the connection. */
  upgradeRefused(status: number): void {
    const message = `The runtime has refused the connection with status ${status}.`;
    const code = status === 401 ? 'unauthorized' : status === 403 ? 'forbidden' : 'route_not_found';
    if (status === 401 || status === 403 || status === 404) this.#endQueued(() => RemoteError.of(code, { message }));
  }

  /** Ends all calls; further ones are refused. */
  shutDown(): void {
    const message = 'This worker has been shut down.';
    this.#end = RemoteError.of('runtime_unavailable', { message });
    this.#endQueued(() => this.#end as RemoteError);
    this.#endSent();
  }

  #endSent(): void {
    const details = this.#closeCode === undefined ? undefined : { close_code: this.#closeCode };
    const isTooLarge = this.#closeCode === TOO_BIG;
    const message = isTooLarge
      ? 'The runtime has ended the connection over a frame that is larger than what it reads.'
      : 'The connection has ended; whether the call had an effect is unknown.';
    for (const [invocationId, { function_id: functionId }] of [...this.#sdk.invocations]) {
      if (this.#outgoing.isQueued(invocationId)) continue;
      const code = isTooLarge ? TOO_LARGE : 'invocation_stopped';
      this.#outgoing.settle(invocationId, RemoteError.of(code, { message, functionId, details }));
    }
  }

  #endQueued(error: () => RemoteError): void {
    for (const invocationId of [...this.#sdk.invocations.keys()])
      if (this.#outgoing.isQueued(invocationId)) this.#outgoing.settle(invocationId, error());
  }

  #listen(invocationId: string, { signal, function_id: functionId }: RemoteRequest): (() => void) | undefined {
    if (signal === undefined) return undefined;
    const onAbort = (): void =>
      this.#outgoing.settle(invocationId, RemoteError.of('cancelled', { functionId, cause: signal.reason }));
    signal.addEventListener('abort', onAbort, { once: true });
    return () => signal.removeEventListener('abort', onAbort);
  }
}

function toRemoteError(thrown: unknown, functionId: string): unknown {
  if (thrown instanceof RemoteError) return thrown;
  const { code } = thrown as { code?: unknown };
  if (code !== TIMED_OUT) return thrown;
  return RemoteError.of('timeout', { functionId, message: 'The answer did not arrive in time.', cause: thrown });
}
