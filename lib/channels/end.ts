// The contract of a channel's ends: what holds one sees this and nothing else, be it a socket, a stream or a request.
// The same for an end that lies in this thread and for one that is reached over a wire.

import type { GreenroomError } from '../errors.ts';

export interface Message {
  /** Of a text message: its UTF-8. Not to be changed by anybody. */
  readonly bytes: Uint8Array;
  readonly isText: boolean;
}

/** Why a channel is closed; `details.reason` of `channel_closed`. */
export type CloseReason = 'reader_gone' | 'writer_gone' | 'owner_gone' | 'idle' | 'runtime_closed';

interface End {
  /** Calls the listener, and nobody else from then on, whenever there may be something new. Never from within a call of either end. */
  listen(listener: () => void): void;
}

export interface WriteEnd extends End {
  /** Whether the writer should go on. What is written without room is taken all the same: what a socket has read cannot be put back. */
  readonly hasRoom: boolean;
  /** Why nothing can be written any more: `channel_closed`; null while it can. */
  readonly failure: GreenroomError | null;
  /** Hands back `hasRoom`. Throws `payload_too_large`, which leaves the channel as it was, or the failure. */
  write(message: Message): boolean;
  /** Nothing more comes: the reader gets what there is, then the end. Resolves once the channel knows. */
  end(): void | Promise<void>;
  /** The writer has gone before it was through: the reader gets what there is, then `channel_closed`. Nothing after `end`. */
  abort(): void;
}

export interface ReadEnd extends End {
  /** The next message; null if there is none now, or none any more. */
  read(): Message | null;
  /** The writer is through and everything has been read. */
  readonly isOver: boolean;
  /** Why no further message comes, although the writer was not through; null while one may. Everything before it has been read. */
  readonly failure: GreenroomError | null;
  /** The reader is through, or has gone: a writer that is not learns it at once. */
  close(): void;
}

/** What a channel counts of its own writer. */
export interface CountingWriteEnd extends WriteEnd {
  readonly bytes: number;
  readonly messages: number;
}
