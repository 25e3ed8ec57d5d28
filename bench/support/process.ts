// What Linux says about another process: its memory and the CPU that it has used. Null on other systems.

import { readFile } from 'node:fs/promises';

const PAGE_BYTES = 4_096;
/** Of the kernel's clock for processes, the same on all usual machines. */
const TICK_MS = 10;
/** In /proc/PID/stat, counted from the field after the name in brackets. */
const [UTIME, STIME] = [11, 12];
const RESIDENT = 1;

export async function rssBytesOf(pid: number): Promise<number | null> {
  const fields = await fieldsOf(`/proc/${pid}/statm`);
  return fields === null ? null : Number(fields[RESIDENT]) * PAGE_BYTES;
}

/** User and system time of all its threads. */
export async function cpuMsOf(pid: number): Promise<number | null> {
  const fields = await fieldsOf(`/proc/${pid}/stat`);
  return fields === null ? null : (Number(fields[UTIME]) + Number(fields[STIME])) * TICK_MS;
}

async function fieldsOf(file: string): Promise<string[] | null> {
  if (process.platform !== 'linux') return null;
  const text = await readFile(file, 'utf8');
  return text
    .slice(text.lastIndexOf(')') + 1)
    .trim()
    .split(' ');
}
