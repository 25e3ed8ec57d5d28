// A reference to one end of a channel: whoever holds it may take that end, once. It travels inside payloads, between processes in any
// language, so it has one spelling everywhere: that of the wire.

import * as v from 'valibot';
import { requireValid } from './issues.ts';

export type ChannelDirection = 'read' | 'write';

export interface ChannelRef<Direction extends ChannelDirection = ChannelDirection> {
  readonly channel_id: string;
  readonly access_key: string;
  readonly direction: Direction;
}

/** Both ends of one channel. They share id and key: whoever holds one can derive the other. */
export interface ChannelRefs {
  readonly reader: ChannelRef<'read'>;
  readonly writer: ChannelRef<'write'>;
}

export interface ChannelOptions {
  /** Messages that it buffers before its writer has to wait; what is out of range becomes the nearest in it, 1 to 1,024. Default 64. */
  readonly bufferMessages?: number | undefined;
}

/** Far above the length of a UUID; what is longer is no key of ours. */
const MAX_CHARS = 128;
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_CHARS));

/** Other fields are ignored: an SDK may add some. */
const ChannelRefSchema = v.object({ channel_id: text, access_key: text, direction: v.picklist(['read', 'write']) });

/** A reference that came from outside. Throws `invalid_request`, or the code that is given. */
export function requireChannelRef(
  value: unknown,
  code: 'invalid_request' | 'invalid_query' = 'invalid_request',
): ChannelRef {
  return requireValid(ChannelRefSchema, value, code);
}
