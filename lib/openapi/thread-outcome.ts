// What a task in a thread comes to, as it crosses: an error of a thread would arrive as another class, without its code.

import { GreenroomError } from '../errors.ts';
import type { WireError } from '../errors.ts';

export type ThreadOutcome<Result> = { readonly result: Result } | { readonly error: WireError };

/** Errors that are not ours stay errors of the thread. */
export async function outcomeOf<Result>(work: () => Result | Promise<Result>): Promise<ThreadOutcome<Result>> {
  try {
    return { result: await work() };
  } catch (error) {
    if (error instanceof GreenroomError) return { error: error.toWire() };
    throw error;
  }
}
