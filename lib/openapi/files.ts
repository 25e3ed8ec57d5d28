// What a caller gives for a file or a binary body: the reading end of a channel, or the bytes in base64. Channels are opened last, when
// nothing else can be refused any more, and are closed with the body whatever becomes of it.

import type { Readable } from 'node:stream';
import * as v from 'valibot';
import { requireChannelRef } from '../protocol/channel-ref.ts';
import type { ChannelRef } from '../protocol/channel-ref.ts';
import { isObject } from '../protocol/payload.ts';
import { isConcrete } from './media-types.ts';
import { invalidAt } from './styles.ts';

/** Takes the reading end of a channel. Throws `channel_not_found` or `channel_taken`. */
export type OpenReader = (ref: ChannelRef<'read'>) => Readable;

export interface GivenFile {
  readonly content: Buffer | ChannelRef<'read'>;
  readonly filename: string | null;
  /** Can stand in a header. */
  readonly contentType: string | null;
}

const Described = {
  filename: v.optional(v.string()),
  content_type: v.optional(v.pipe(v.string(), v.check(isConcrete))),
};
const InBase64 = v.strictObject({ base64: v.pipe(v.string(), v.check(isBase64)), ...Described });

/** Throws `invalid_input`, naming the path. */
export function requireFile(value: unknown, path: string): GivenFile {
  if (isObject(value) && Object.hasOwn(value, 'channel_id')) return channelFile(value, path);
  const given = v.safeParse(InBase64, value);
  if (!given.success)
    throw invalidAt(path, 'expected the reading end of a channel, or {base64, filename?, content_type?}');
  return fileOf(Buffer.from(given.output.base64, 'base64'), given.output);
}

function channelFile(value: Record<string, unknown>, path: string): GivenFile {
  const described = v.safeParse(v.object(Described), value);
  if (!described.success) throw invalidAt(path, 'filename or content_type is not one');
  return fileOf(readerRef(value, path), described.output);
}

function fileOf(
  content: GivenFile['content'],
  described: { readonly filename?: string | undefined; readonly content_type?: string | undefined },
): GivenFile {
  return { content, filename: described.filename ?? null, contentType: described.content_type ?? null };
}

function readerRef(value: unknown, path: string): ChannelRef<'read'> {
  let ref: ChannelRef;
  try {
    ref = requireChannelRef(value);
  } catch {
    // Its own message does not say where in the payload it stands.
    throw invalidAt(path, 'is no reference to a channel');
  }
  if (ref.direction !== 'read') throw invalidAt(path, 'expected the reading end of the channel');
  return ref as ChannelRef<'read'>;
}

/** Not one expression for all of it: on millions of characters it would need more stack than there is. */
function isBase64(text: string): boolean {
  const isBegun = text.length % 4 === 0 && !/[^a-z\d+/]/i.test(text.slice(0, -2));
  return isBegun && /^(?:[a-z\d+/]{2}|[a-z\d+/]=|==)?$/i.test(text.slice(-2));
}
