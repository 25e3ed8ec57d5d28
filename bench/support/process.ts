// What Linux says about another process: its memory and the CPU that it has used. Null on other systems.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

const KIB_BYTES = 1_024;
/** Of the kernel's clock for processes, the same on all usual machines. */
const TICK_MS = 10;
/** In /proc/PID/stat, counted from the field after the name in brackets. */
const [UTIME, STIME] = [11, 12];

/** In bytes. */
export interface ProcessMemory {
  readonly rss: number;
  /** Of it: what the process has made. */
  readonly anon: number;
  /** Of it: pages of files, such as the map of a store, which the system takes back when somebody needs the memory. */
  readonly file: number;
  /** The greatest resident set so far. */
  readonly mostRss: number;
}

/** Null on other systems than Linux, and for a process that has ended. */
export function memoryOf(pid: number): ProcessMemory | null {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return null;
  const status = readFileSync(file, 'utf8');
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * KIB_BYTES;
  return { rss: bytes('VmRSS'), anon: bytes('RssAnon'), file: bytes('RssFile'), mostRss: bytes('VmHWM') };
}

export interface MemoryWatch {
  /** The most that was seen of each. */
  most(): ProcessMemory | null;
  end(): void;
}

const LOOK_EVERY_MS = 25;

/** Looks at a process again and again, since the system keeps the greatest value of none but the whole. */
export function watchMemory(pid: number): MemoryWatch {
  let most = memoryOf(pid);
  const look = (): void => {
    const now = memoryOf(pid);
    if (now === null || most === null) return;
    most = {
      rss: Math.max(now.rss, most.rss),
      anon: Math.max(now.anon, most.anon),
      file: Math.max(now.file, most.file),
      mostRss: now.mostRss,
    };
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return { most: () => most, end: () => clearInterval(timer) };
}

/** Bytes that this process has had written to disks; null on other systems than Linux. */
export function writtenBytes(): number | null {
  if (process.platform !== 'linux') return null;
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

/** User and system time of all its threads. */
export async function cpuMsOf(pid: number): Promise<number | null> {
  if (process.platform !== 'linux') return null;
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(' ');
  return (Number(fields[UTIME]) + Number(fields[STIME])) * TICK_MS;
}

/** Process ids of the children of this process. Only Linux tells. */
export function childProcesses(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === process.pid)
    .map(Number);
}

function parentOf(pid: string): number {
  try {
    const [, ppid] = /\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return Number(ppid);
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}
