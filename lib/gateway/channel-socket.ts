// One end of a channel at a WebSocket. A writer's socket is paused while the channel is full; a reader's gets no more than it can send on.
// How a socket closes says how the channel ended: what is whole closes with 1000, anything else with another code, so that nobody takes
// half a transfer for a whole one.

import type { WebSocket } from 'ws';
import type { Channels } from '../channels/channels.ts';
import type { ReadEnd, WriteEnd } from '../channels/end.ts';
import { requireChannelRef } from '../protocol/channel-ref.ts';
import type { ChannelRef } from '../protocol/channel-ref.ts';
import { asGreenroomError } from '../errors.ts';
import type { GreenroomError } from '../errors.ts';

/** Bytes that a reader's socket holds and has not sent; one message may exceed it. */
const SOCKET_BUFFER_BYTES = 1024 * 1024;

/** Close codes (RFC 6455, section 7.4). */
const NORMAL = 1000;
/** Never sent: what a socket reports that has been lost without a close. */
const LOST = 1006;
const POLICY_VIOLATION = 1008;
const TOO_BIG = 1009;
const FAILED = 1011;

/**
 * The end that an upgrade request asks for with `?key=&dir=`, so that it can be refused before the upgrade.
 * Throws `invalid_query`, `channel_not_found` or `channel_taken`.
 */
export function requireChannelEnd(
  channels: Channels,
  channelId: string,
  query: { readonly key?: unknown; readonly dir?: unknown },
): ChannelRef {
  const direction = query.dir;
  const ref = requireChannelRef({ channel_id: channelId, access_key: query.key, direction }, 'invalid_query');
  channels.check(ref);
  return ref;
}

/** Takes the end and joins it with the socket, until either is gone. Never throws: what is taken meanwhile is closed with 1008. */
export function serveChannelSocket(socket: WebSocket, channels: Channels, ref: ChannelRef): void {
  // Its close says it as well, and comes in any case.
  socket.on('error', () => undefined);
  try {
    if (isWriter(ref)) serveWriter(socket, channels.takeWriter(ref));
    else serveReader(socket, channels.takeReader(ref as ChannelRef<'read'>));
  } catch (thrown) {
    socket.close(POLICY_VIOLATION, asGreenroomError(thrown).code);
  }
}

function isWriter(ref: ChannelRef): ref is ChannelRef<'write'> {
  return ref.direction === 'write';
}

function serveWriter(socket: WebSocket, end: WriteEnd): void {
  let isPaused = false;
  const close = (code: number, reason: string): void => {
    socket.close(code, reason);
    // The peer's answer to it lies behind what has not been read.
    if (isPaused) socket.resume();
  };
  socket.on('message', (bytes: Buffer, isBinary: boolean) => {
    // What was sent before the peer learnt of the end.
    if (end.failure !== null) return;
    try {
      isPaused = !end.write({ bytes, isText: !isBinary });
      if (isPaused) socket.pause();
    } catch (thrown) {
      end.abort();
      close(TOO_BIG, asGreenroomError(thrown).code);
    }
  });
  socket.on('close', (code) => {
    if (code === LOST) end.abort();
    else void end.end();
  });
  end.listen(() => {
    if (end.failure !== null) {
      const reason = reasonOf(end.failure);
      close(reason === 'reader_gone' ? NORMAL : FAILED, reason);
    } else if (isPaused && end.hasRoom) {
      isPaused = false;
      socket.resume();
    }
  });
}

function serveReader(socket: WebSocket, end: ReadEnd): void {
  let unsent = 0;
  const pump = (): void => {
    if (socket.readyState !== socket.OPEN) return;
    while (socket.bufferedAmount < SOCKET_BUFFER_BYTES) {
      const message = end.read();
      if (message === null) break;
      unsent++;
      socket.send(message.bytes, { binary: !message.isText }, onSent);
    }
    if (end.failure !== null) socket.close(FAILED, reasonOf(end.failure));
    // Not before all of it has left: a socket that closes has only so much time to send the rest.
    else if (end.isOver && unsent === 0) socket.close(NORMAL, 'stream_complete');
  };
  const onSent = (): void => {
    unsent--;
    pump();
  };
  socket.on('close', () => end.close());
  end.listen(pump);
  pump();
}

function reasonOf({ code, details }: GreenroomError): string {
  const reason = details?.['reason'];
  return typeof reason === 'string' ? reason : code;
}
