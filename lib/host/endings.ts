// How a host can end without having been asked to, as errors. A thread says it in Node's words; a process is made to say it in the same.

/** The code that Node gives an error of a thread whose heap is full; and ours for a process. */
const OUT_OF_MEMORY = 'ERR_WORKER_OUT_OF_MEMORY';

/** What is known of an end: see `endingOf`. */
export interface Ending {
  readonly cause: 'exited' | 'out_of_memory' | 'crashed' | 'threw';
  readonly exitCode?: number;
  readonly signal?: string;
  readonly heapLimitBytes?: number;
}

/** Something called process.exit, or the process ended by itself. */
export function exitedWith(exitCode: number): Error {
  return new Error(`the host exited with code: ${exitCode}`);
}

/** The operating system ended it: a fault in native code, or a signal from outside. */
export function endedBy(signal: string): Error {
  return Object.assign(new Error(`the host was ended by ${signal}`), { signal });
}

/** Its JavaScript heap was full. */
export function outOfMemory(heapLimitBytes: number): Error {
  return Object.assign(new Error('the host ran out of memory'), { code: OUT_OF_MEMORY, heapLimitBytes });
}

export function isOutOfMemory(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === OUT_OF_MEMORY;
}

/** Reads the error of a HostExit. What was thrown and not caught is `threw`. */
export function endingOf(error: Error | null): Ending {
  const { signal, heapLimitBytes } = (error ?? {}) as { signal?: string; heapLimitBytes?: number };
  if (isOutOfMemory(error)) return { cause: 'out_of_memory', ...(heapLimitBytes !== undefined && { heapLimitBytes }) };
  if (signal !== undefined) return { cause: 'crashed', signal };
  const exitCode = /exited with code: (\d+)/.exec(error?.message ?? '')?.[1];
  return exitCode === undefined ? { cause: 'threw' } : { cause: 'exited', exitCode: Number(exitCode) };
}
