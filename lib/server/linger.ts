// Refusing a request whose body is still on its way. Closing at once would reset the connection, and the client would
// lose the answer while it is sending; reading on without a bound would let it send for ever. So: the whole answer
// goes out first, then what still arrives is thrown away until the body ends or LINGER_MS have passed, then it closes.

import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { DRAIN_BYTES, LINGER_MS } from './bounds.ts';

/** Whether more of the body may arrive than is worth throwing away to keep the connection. */
export function hasLongRest(request: IncomingMessage): boolean {
  if (request.complete) return false;
  const declared = request.headers['content-length'];
  return declared === undefined ? request.headers['transfer-encoding'] !== undefined : Number(declared) > DRAIN_BYTES;
}

/** The answer as a stream that yields its bytes at once and ends when the rest of the request has been dealt with. */
export function lingeringAnswer(request: IncomingMessage, answer: string): Readable {
  const stream = new Readable({ read: () => undefined });
  stream.push(answer);
  const end = (): void => {
    clearTimeout(timer);
    request.removeListener('end', end).removeListener('close', end);
    stream.push(null);
  };
  const timer = setTimeout(end, LINGER_MS);
  request.once('end', end).once('close', end).resume();
  return stream;
}
