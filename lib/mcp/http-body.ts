// The body of an answer on its way to the library: counted as a whole, or, of a stream of events, event by event.

const NEWLINE = 10;
const RETURN = 13;
const [LETTER_I, LETTER_D, COLON] = [105, 100, 58] as const;

export interface BodyWatch {
  /** Of server-sent events; else one message. */
  readonly isStream: boolean;
  /** Of one message. */
  readonly maxBytes: number;
  /** Told once; the body ends with what it hands back. */
  tooLarge(bytes: number): Error;
  /** In any way, once. Whether an event had an id, so that the rest can be had. */
  ended(isResumable: boolean): void;
}

export function watchBody(body: ReadableStream<Uint8Array>, watch: BodyWatch): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const events = new EventCounter();
  let bytes = 0;
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    watch.ended(events.hasIds);
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) {
          controller.close();
          return end();
        }
        bytes = watch.isStream ? events.take(value) : bytes + value.byteLength;
        if (bytes <= watch.maxBytes) return controller.enqueue(value);
        throw watch.tooLarge(bytes);
      } catch (error) {
        controller.error(error);
        end();
        // Nothing is left to be told of it.
        await reader.cancel().catch(() => undefined);
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  });
}

/** How many bytes the longest event of what was read has so far: an event ends with an empty line. */
class EventCounter {
  hasIds = false;
  #eventBytes = 0;
  /** Of the line that is being read; the first three bytes tell an id. */
  #lineBytes = 0;
  #idBytes = 0;

  take(chunk: Uint8Array): number {
    let longest = 0;
    for (const byte of chunk) {
      this.#eventBytes++;
      if (byte === NEWLINE) {
        if (this.#lineBytes === 0) {
          longest = Math.max(longest, this.#eventBytes);
          this.#eventBytes = 0;
        }
        this.#lineBytes = 0;
        this.#idBytes = 0;
      } else if (byte !== RETURN) {
        const expected = [LETTER_I, LETTER_D, COLON][this.#lineBytes];
        if (byte === expected && this.#idBytes === this.#lineBytes) this.hasIds ||= ++this.#idBytes === 3;
        this.#lineBytes++;
      }
    }
    return Math.max(longest, this.#eventBytes);
  }
}
