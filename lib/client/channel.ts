// Channels as a client has them: made at the runtime, and streamed into or out of. Nothing is repeated: an end is taken once.

import { PassThrough, Readable } from 'node:stream';
import { MAX_WAIT_MS } from '../limits.ts';
import type { ChannelOptions, ChannelRef, ChannelRefs } from '../protocol/channel-ref.ts';
import { connectionError, decodeAnswer, noun } from './answers.ts';
import type { CallOptions } from './options.ts';
import { boundedText } from './transport.ts';
import type { Transport } from './transport.ts';

export type ChannelRequest = CallOptions & ChannelOptions;

/** What an upload has written. */
export interface Uploaded {
  readonly channelId: string;
  readonly bytes: number;
  readonly messages: number;
}

export type UploadSource = Uint8Array | Readable | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export async function createChannel(
  transport: Transport,
  { bufferMessages, ...options }: ChannelRequest,
): Promise<ChannelRefs> {
  const body = transport.encodeBody({ buffer_messages: bufferMessages });
  const answer = await transport.request({ method: 'POST', path: '/v1/channels', body }, options);
  const { reader, writer } = noun<ChannelRefs>(answer, 'channel');
  return { reader, writer };
}

export async function upload(
  transport: Transport,
  ref: ChannelRef<'write'>,
  source: UploadSource,
  { timeoutMs = MAX_WAIT_MS, signal }: CallOptions,
): Promise<Uploaded> {
  const call = transport.open({ timeoutMs, signal });
  try {
    const body = source instanceof Uint8Array || source instanceof Readable ? source : Readable.from(source);
    const headers = { 'content-type': 'application/octet-stream' };
    const answer = await call.race(transport.stream(call, { method: 'PUT', path: pathOf(ref), body, headers }));
    const { channel } = decodeAnswer(await boundedText(answer), 200) as { channel?: Record<string, unknown> };
    const { bytes, messages } = noun<Uploaded>({ channel }, 'channel');
    return { channelId: ref.channel_id, bytes, messages };
  } catch (error) {
    // What ended the call is the reason to give, whatever the connection made of it.
    call.signal.throwIfAborted();
    throw connectionError(error);
  } finally {
    call[Symbol.dispose]();
  }
}

export async function download(
  transport: Transport,
  ref: ChannelRef<'read'>,
  { timeoutMs = MAX_WAIT_MS, signal }: CallOptions,
): Promise<Readable> {
  const call = transport.open({ timeoutMs, signal });
  try {
    const body = await call.race(transport.stream(call, { method: 'GET', path: pathOf(ref) }));
    const readable = new PassThrough();
    body.on('error', (cause: unknown) => {
      readable.destroy(call.signal.aborted ? (call.signal.reason as Error) : connectionError(cause));
    });
    readable.once('close', () => {
      call[Symbol.dispose]();
      body.destroy();
    });
    return body.pipe(readable);
  } catch (error) {
    call[Symbol.dispose]();
    call.signal.throwIfAborted();
    throw connectionError(error);
  }
}

function pathOf({ channel_id: id, access_key: key }: ChannelRef): string {
  return `/v1/channels/${encodeURIComponent(id)}?key=${encodeURIComponent(key)}`;
}
