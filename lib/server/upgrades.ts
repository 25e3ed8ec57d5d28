// Which upgrades are for the gateway. With one listener for upgrades Node hands over every request that asks for any, together with its
// connection, which from then on nobody reads, times or closes. What is not for the gateway is therefore put back, without its wish, as the
// plain request that it also is (RFC 9110, section 7.8: a server may ignore it); some HTTP clients wish for HTTP/2 in every request.

import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Upgraded = Socket & { _httpMessage?: ServerResponse | null };
type Asking = Server & { shouldUpgradeCallback?: (request: IncomingMessage) => boolean };

/** Tells, as `upgrade`, of the requests for a WebSocket at the path and below it; all others are answered as if they had not asked. */
export function selectUpgrades(server: Server, path: string): Server {
  const selected = new EventEmitter();
  keepBodies(server);
  const take = (request: IncomingMessage, socket: Upgraded, head: Buffer): void => {
    const isForGateway = isWebSocket(request) && isBelow(request.url ?? '', path);
    // Somebody else in the app may wait for it.
    if (!isForGateway && server.listenerCount('upgrade') > 1) return;
    whenAnswered(socket, () => {
      if (!isForGateway) return putBack(server, request, socket, head);
      selected.emit('upgrade', request, socket, head);
      // What is refused is answered, and there its connection ends.
      socket._httpMessage?.once('finish', () => socket.destroySoon());
    });
  };
  server.on('upgrade', take);
  // The plugin wants a server, and of it only this event.
  return selected as Server;
}

/** Lets go of the request that a socket was upgraded with: the socket would hold it, and everything around it, for as long as it is open. */
export function endRequest(socket: Socket): void {
  (socket as Upgraded)._httpMessage?.detachSocket(socket);
}

/**
 * Newer Nodes ask before they take a request apart, and Node 26 keeps the body to itself when they do: one with a body, which is never
 * for the gateway, stays whole. Without a body the requests behind it would wait for ever there (seen with 24 and 26), so those are put back.
 */
function keepBodies(server: Asking): void {
  const before = server.shouldUpgradeCallback;
  if (before === undefined) return;
  server.shouldUpgradeCallback = (request) =>
    hasBody(request) && server.listenerCount('upgrade') === 1 ? false : before.call(server, request);
}

/** HTTP/1.0 has no upgrades, and what follows one with a body is not a frame. */
function isWebSocket(request: IncomingMessage): boolean {
  const { method, httpVersion, headers } = request;
  const isAskedFor = headers.upgrade?.toLowerCase() === 'websocket';
  return method === 'GET' && httpVersion === '1.1' && isAskedFor && !hasBody(request);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0;
}

function isBelow(url: string, path: string): boolean {
  const [own = ''] = url.split('?', 1);
  return own === path || own.startsWith(`${path}/`);
}

/** Requests may come on one connection before the answers to those in front of them; the answers keep that order. */
function whenAnswered(socket: Upgraded, then: () => void): void {
  const pending = socket._httpMessage;
  if (pending === undefined || pending === null) {
    if (!socket.destroyed && !socket.writableEnded) then();
  } else pending.once('close', () => whenAnswered(socket, then));
}

function putBack(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const { method = '', url = '', httpVersion, rawHeaders } = request;
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    const value = rawHeaders[at + 1] as string;
    const kept = WISHES.has(name.toLowerCase())
      ? ''
      : name.toLowerCase() === 'connection'
        ? withoutWishes(value)
        : value;
    if (kept !== '' || value === '') text += `${name}: ${kept}\r\n`;
  }
  socket.setTimeout(0);
  socket.removeAllListeners('timeout');
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}

const WISHES = new Set(['upgrade', 'http2-settings']);

function withoutWishes(connection: string): string {
  const tokens = connection.split(',').map((token) => token.trim());
  return tokens.filter((token) => !WISHES.has(token.toLowerCase())).join(', ');
}
