// How much CPU a thread has taken, read from outside: the kernel tells, whatever the thread is doing. Only Linux does.

import { readFileSync } from 'node:fs';

export interface CpuTime {
  /** Since the thread's start. */
  readonly cpuMs: number;
  /** The same and the time in which it was ready to run and got no CPU: on a busy machine a loop looks idle without it. */
  readonly wantedCpuMs: number;
}

const NS_PER_MS = 1e6;

/** @param task `<process>/task/<thread>`, below /proc. Null if the kernel does not tell, or the thread is gone. */
export function cpuTime(task: string): CpuTime | null {
  try {
    const [cpuNs, waitedNs] = readFileSync(`/proc/${task}/schedstat`, 'latin1').split(' ').map(Number);
    if (cpuNs === undefined || waitedNs === undefined) return null;
    return { cpuMs: cpuNs / NS_PER_MS, wantedCpuMs: (cpuNs + waitedNs) / NS_PER_MS };
  } catch {
    // A kernel without this file, or a thread that has just ended: both are the same to whoever asks.
    return null;
  }
}
