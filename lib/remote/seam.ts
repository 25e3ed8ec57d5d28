// The members of the SDK's object that this folder builds on beside its public surface. They are not part of what the SDK
// promises, so they are looked for when a worker connects, and another version without them is refused by name, not at the first call.
//
//   sendMessage          every frame but `reattach` goes through it, or through the queue that it fills while there is no socket
//   setConnectionState   told of every change, `disconnected` included, before anything is sent again
//   onMessage            gets every frame that arrives
//   toInvocationError    makes an error of what arrived; the SDK's own keeps neither details nor `retryable`

import type { IIIClient } from 'iii-sdk';
import { GreenroomError } from '../errors.ts';

export type ConnectionState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting' | 'failed';

/** A frame before it is encoded. */
export interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly invocation_id?: string;
  readonly function_id?: string;
  readonly trigger_type?: string;
}

interface Waiting {
  readonly function_id: string;
  /** Clears the timer too; the entry stays. */
  reject(error: Error): void;
}

export interface Sdk extends IIIClient {
  sendMessage(type: string, message: object, skipIfClosed?: boolean): void;
  setConnectionState(state: ConnectionState): void;
  onMessage(frame: Buffer): void;
  toInvocationError(error: unknown, functionId: string): Error;
  logError(message: string, error?: unknown): void;
  toWireFormat(type: string, message: object): Frame;
  sendMessageRaw(text: string): void;
  isOpen(): boolean;
  /** The socket; undefined between two of them. */
  readonly ws?: { prependOnceListener(event: 'close', listener: (code: number) => void): unknown } | undefined;
  /** Frames that wait for a socket. */
  messagesToSend: Frame[];
  /** Calls that wait for their answer, sent or not, by id. */
  readonly invocations: Map<string, Waiting>;
}

const METHODS = [
  'sendMessage',
  'setConnectionState',
  'onMessage',
  'toInvocationError',
  'logError',
  'toWireFormat',
  'sendMessageRaw',
  'isOpen',
];

/** The same object. Throws `unsupported_operation` when the installed SDK is built differently. */
export function requireSeam(client: IIIClient): Sdk {
  const members = client as unknown as Record<string, unknown>;
  const missing = METHODS.filter((name) => typeof members[name] !== 'function');
  if (!Array.isArray(members['messagesToSend'])) missing.push('messagesToSend');
  if (!(members['invocations'] instanceof Map)) missing.push('invocations');
  if (missing.length === 0) return client as Sdk;
  throw GreenroomError.of('unsupported_operation', {
    message: `This version of iii-sdk has no ${missing.join(', ')}; greenroom/remote is made for 0.22.1.`,
  });
}
