// Who lives on the time of this thread. A simulation puts its own clock in the place of the machine's, so it has the thread to itself.

import { GreenroomError } from '../errors.ts';

let runtimes = 0;
let isSimulated = false;

/** For a runtime that is being opened. Returns what is to be called when it is closed. Throws `unsupported_operation` while a simulation is open. */
export function enterThread(): () => void {
  if (isSimulated) throw refusal('A simulation is open in this thread; close it first.');
  runtimes++;
  return once(() => runtimes--);
}

/** For a simulation. Throws `unsupported_operation` while a runtime or another simulation is open. */
export function occupyThread(): () => void {
  if (isSimulated || runtimes > 0) {
    throw refusal(
      `A ${isSimulated ? 'simulation' : 'runtime'} is open in this thread; a simulation needs it for itself.`,
    );
  }
  isSimulated = true;
  return once(() => (isSimulated = false));
}

function refusal(message: string): GreenroomError {
  return GreenroomError.of('unsupported_operation', { message });
}

function once(leave: () => void): () => void {
  let hasLeft = false;
  return () => {
    if (!hasLeft) leave();
    hasLeft = true;
  };
}
