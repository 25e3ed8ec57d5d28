// Requests that may take longer than REQUEST_TIMEOUT_MS to arrive, because something else bounds them. Node knows one timeout for
// all requests of a server; it tells when that has passed, and leaves it to us what is to be done.

import type { Duplex } from 'node:stream';

const sockets = new WeakSet<Duplex>();

/** From now until the returned function is called. */
export function allowLongUpload(socket: Duplex): () => void {
  sockets.add(socket);
  return () => void sockets.delete(socket);
}

export function isLongUpload(socket: Duplex): boolean {
  return sockets.has(socket);
}
