// The ends of a lane, as both ends of the wire use them: message ports of threads, or whatever carries messages in order. What was posted
// before something else that arrives is there for `receive`, whichever port it is on.

import { receiveMessageOnPort } from 'node:worker_threads';
import type { MessageChannel, MessagePort, TransferListItem } from 'node:worker_threads';

/** What is used of a MessagePort. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly TransferListItem[]): void;
  on<Message>(event: 'message' | 'close', listener: (message: Message) => void): unknown;
  off<Message>(event: 'message' | 'close', listener: (message: Message) => void): unknown;
  once<Message>(event: 'message' | 'close', listener: (message: Message) => void): unknown;
  close(): void;
  /** Takes the next message that is there. A port of a thread has none: Node does it with a function. */
  receive?(): { message: unknown } | undefined;
}

/** Inputs and replies; cancels; calls of the supervisor; calls of the actors; lines for the log. */
export type LaneName = 'data' | 'control' | 'calls' | 'services' | 'log';

/** Two ends of a lane. */
export type Lane = Pick<MessageChannel, 'port1' | 'port2'> | { readonly port1: Port; readonly port2: Port };

/** Takes the next message that is there, without waiting for its turn; undefined if there is none. */
export function receive(port: Port): { message: unknown } | undefined {
  return port.receive === undefined ? receiveMessageOnPort(port as MessagePort) : port.receive();
}
