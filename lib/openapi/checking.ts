// Payloads whose body is too large for the main loop, checked and written in a thread: one for all sources. The body crosses as a copy, made
// in pieces when it is its turn; what the thread has written comes back without one.

import { setImmediate as turn } from 'node:timers/promises';
import { GreenroomError } from '../errors.ts';
import { CHECKING_IDLE_MS, CHECKING_MEMORY_MIB, MAX_CHECKS, MAX_CHECKS_BYTES, PIECE_BYTES } from './bounds.ts';
import type { CheckingTask } from './checking-thread.ts';
import { SingleThread } from './single-thread.ts';
import type { WrittenBody } from './written-body.ts';

const thread = new SingleThread<CheckingTask, WrittenBody | null>({
  module: new URL('./checking-thread.js', import.meta.url),
  idleMs: CHECKING_IDLE_MS,
  memoryMib: CHECKING_MEMORY_MIB,
  maxTasks: MAX_CHECKS,
  maxSize: MAX_CHECKS_BYTES,
  busyMessage: 'Too many large bodies wait to be checked.',
  outOfMemory: () => GreenroomError.of('invalid_input', { message: 'The payload takes too much memory to check.' }),
});

/**
 * Null: the body is JSON, and is sent as it came. Rejects with `invalid_input`, `invalid_json`, `invalid_source` when the schema cannot be
 * used, `worker_busy`, or the reason of the signal, whose abort frees the thread.
 */
export function checkLarge(task: CheckingTask, signal: AbortSignal): Promise<WrittenBody | null> {
  const make = async () => {
    const bytes = await copyOf(task.bytes);
    return { task: { ...task, bytes }, transferList: [bytes.buffer] };
  };
  return thread.run(task.bytes.byteLength, make, signal);
}

async function copyOf(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const copy = new Uint8Array(bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
    if (at > 0) await turn();
    copy.set(bytes.subarray(at, at + PIECE_BYTES), at);
  }
  return copy;
}
