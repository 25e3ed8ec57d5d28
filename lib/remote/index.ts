// Package entry "greenroom/remote": a process that serves and calls functions of a runtime, over WebSocket. It is the published iii-sdk
// (a peer dependency: install it beside Greenroom) with what that lacks: one limit that is checked before sending, calls that end
// with the connection they were sent on, errors with all that the runtime said, a credential, and a way to know that it is connected.

import { registerWorker } from 'iii-sdk';
import type { IIIClient } from 'iii-sdk';
import { Calls } from './calls.ts';
import type { RemoteRequest } from './calls.ts';
import { fromWire } from './errors.ts';
import { resolveOptions } from './options.ts';
import type { RemoteOptions } from './options.ts';
import { Outgoing } from './outgoing.ts';
import { becomeReady } from './ready.ts';
import type { ReadyOptions } from './ready.ts';
import { Refusals } from './refusals.ts';
import { requireSeam } from './seam.ts';
import type { Sdk } from './seam.ts';

export type { RemoteRequest } from './calls.ts';
export { PayloadTooLargeError, RemoteError } from './errors.ts';
export type { RemoteOptions } from './options.ts';
export type { ReadyOptions } from './ready.ts';

/** A connected process; everything of the SDK's client, and usable with its helpers (`createChannel`, `createStream`). */
export interface Remote extends Omit<IIIClient, 'trigger'> {
  /**
   * Calls a function. Rejects with RemoteError: PayloadTooLargeError when the frame is above `maxMessageBytes`, `timeout`, `cancelled`,
   * `invocation_stopped` when the connection ends first, `runtime_unavailable`, `unauthorized`, or what the function or the runtime says.
   */
  trigger<Input = unknown, Output = unknown>(request: RemoteRequest<Input>): Promise<Output>;
  /**
   * Resolves when the runtime has answered, and so has handled everything that was registered before. Rejects with `timeout`, `cancelled`,
   * `unauthorized` or `forbidden` for the credential, `route_not_found` where there is no gateway, `runtime_unavailable` after a shutdown;
   * and with what the first function was refused with (`function_exists`, `forbidden`, …) that is not registered.
   */
  ready(options?: ReadyOptions): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Connects to `ws://HOST:PORT/v1/gateway`, now and again after each loss. Register functions at once: they are there when `ready()`
 * resolves, and after each reconnect. Throws `invalid_option`, and `unsupported_operation` for another version of the SDK.
 */
export function connectRemote(address: string | URL, options: RemoteOptions = {}): Remote {
  const { address: resolved, maxMessageBytes, init } = resolveOptions(address, options);
  const sdk = open(resolved, init);
  const outgoing = new Outgoing(sdk, maxMessageBytes);
  const calls = new Calls(sdk, outgoing);
  const refusals = new Refusals();
  const setConnectionState = sdk.setConnectionState.bind(sdk);
  const onMessage = sdk.onMessage.bind(sdk);
  const logError = sdk.logError.bind(sdk);
  const shutdown = sdk.shutdown.bind(sdk);
  const trigger: Remote['trigger'] = (request) => calls.trigger(request) as never;
  const shutDown = (): Promise<void> => {
    calls.shutDown();
    return shutdown();
  };
  const added: Partial<Sdk> & Remote = Object.assign(sdk, {
    trigger,
    shutdown: shutDown,
    sendMessage: (type, message, skipIfClosed) => {
      if (type === 'registerfunction' || type === 'unregisterfunction') refusals.forget((message as { id: string }).id);
      outgoing.send(type, message, skipIfClosed);
    },
    onMessage: (frame) => {
      refusals.look(frame);
      onMessage(frame);
    },
    toInvocationError: fromWire,
    setConnectionState: (state) => {
      setConnectionState(state);
      if (state === 'connected') refusals.clear();
      calls.stateChanged(state);
    },
    logError: (message, error) => {
      const status = upgradeStatusOf(error);
      if (status !== undefined) calls.upgradeRefused(status);
      logError(message, error);
    },
    ready: (given: ReadyOptions = {}) => becomeReady(trigger, refusals, given),
    [Symbol.asyncDispose]: shutDown,
  } satisfies Partial<Sdk> & Pick<Remote, 'ready' | typeof Symbol.asyncDispose>);
  return added;
}

function open(address: string, init: Parameters<typeof registerWorker>[1]): Sdk {
  const client = registerWorker(address, init);
  try {
    return requireSeam(client);
  } catch (refusal) {
    // It connects on its own from its first moment.
    client.shutdown().catch(() => undefined);
    throw refusal;
  }
}

/** What the HTTP server said instead of upgrading; only the text of the error tells. */
function upgradeStatusOf(error: unknown): number | undefined {
  const match = error instanceof Error ? /^Unexpected server response: (\d{3})$/.exec(error.message) : null;
  return match === null ? undefined : Number(match[1]);
}
