// The end of a process with a thread that does not end. `process.exit` waits for native code in threads until it returns, if it ever does
// (measured on Node 20 and 24: a pbkdf2Sync of 25 s held it up for 25 s), so that a supervisor of processes would have to kill this one.

import { say } from './say.ts';

/** What newer versions of Node have (22.15, 23.11): another program takes the place of this one, threads and all. */
interface Replaceable {
  execve?(file: string, args: readonly string[], environment: Record<string, string>): void;
}

/** Whoever calls `process.exit` while `isHeldUp` says so ends the process at once all the same. */
export function leaveAtExit(isHeldUp: () => boolean): void {
  const onExit = (code: number): void => {
    if (!isHeldUp()) return;
    process.off('exit', onExit);
    say('a thread is in native code and does not end: it is left behind');
    // Those that come after this listener would not be called.
    process.emit('exit', code);
    leave(code);
  };
  process.on('exit', onExit);
}

function leave(code: number): void {
  try {
    (process as Replaceable).execve?.(process.execPath, [process.execPath, '-e', `process.exit(${code})`], {});
  } catch (thrown) {
    say(`the exit code is lost: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
  // Without it only a signal ends the process at once, and the exit code is that of the signal.
  process.removeAllListeners('SIGTERM');
  process.kill(process.pid, 'SIGTERM');
}
