// What is under a link: a thread, a process, or the main thread.

export interface Carrier {
  /** Resolves when the host has closed in an orderly way, rejects with the cause when it died: not before nothing of it runs any more. */
  readonly lifetime: Promise<void>;
  kill(): void;
  /** The host has said which thread it is. */
  adopt?(threadId: number): void;
  /** Event loop utilisation since the last look, 0 to 1; answers even while the host's loop is stuck. */
  utilization(): number;
  /** Asks by an interrupt, which running JavaScript answers and native code does not. Null where Node cannot. May never settle. */
  interrupt?(): Promise<unknown> | null;
  /** False for a host on the main thread, whose memory is that of the whole process: it counts as none. Default true. */
  readonly ownsMemory?: boolean;
}
