// A Backend that sends far more than its workers take. Run as a process of its own, because it is the memory of the process
// that is looked at: GATE, a file that lets the workers go on. Prints one JSON line with what it counted.

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createRuntime } from '../../lib/index.ts';
import type { GreenroomError } from '../../lib/index.ts';
import { eventually, transcriptOf } from '../support/start-runtime.ts';
import { memoryOf } from './child.ts';

export interface Flood {
  sent: number;
  accepted: number;
  refused: Record<string, number>;
  /** How many of the accepted inputs ended how. */
  outcomes: Record<string, number>;
  /** Accepted inputs with another number of final entries in the transcript than one. */
  strayInputs: number;
  /** What the runtime still counts as held after all has ended. */
  left: { messages: number; bytes: number };
  grownBytes: number;
}

const ENDS: ReadonlySet<string> = new Set(['output', 'failed', 'cancelled']);
const WORKERS = 4;
/** Ten times the capacity of a mailbox, to each worker. */
const SENT_TO_EACH = 10 * 1_024;
const PAYLOAD_BYTES = 64 * 1024;
const FILL_BYTES = PAYLOAD_BYTES - '{"fill":""}'.length;
/** Sends between two turns of the loop, so that the hosts' replies get in between. */
const BURST = 64;

async function flood(gate: string): Promise<Flood> {
  const MiB = 1024 * 1024;
  const actors = [new URL('../fixtures/actors/', import.meta.url)];
  await using runtime = await createRuntime({ actors, hosts: 2, limits: { maxTotalBytes: 64 * MiB } });
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => runtime.create({ kind: 'held' })));
  for (const worker of workers) await worker.tell({ until: gate });
  await eventually(() => workers.every((worker) => worker.view().running !== null));

  const source = randomBytes(PAYLOAD_BYTES).toString('hex');
  const before = memoryOf(process.pid, 'VmRSS');
  const refused: Record<string, number> = {};
  const accepted: { inputId: string; workerId: string }[] = [];
  let sent = 0;
  for (let n = 0; n < SENT_TO_EACH; n++) {
    for (const worker of workers) {
      sent++;
      try {
        // A slice costs the sender nothing; what is accepted is encoded, and so a text of its own.
        accepted.push(await worker.tell({ fill: source.slice(sent % PAYLOAD_BYTES).slice(0, FILL_BYTES) }));
      } catch (error) {
        const { code } = error as GreenroomError;
        refused[code] = (refused[code] ?? 0) + 1;
      }
    }
    if (n % BURST === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  writeFileSync(gate, '');
  await eventually(() => workers.every((worker) => worker.view().status === 'idle'), 60_000);
  const grownBytes = memoryOf(process.pid, 'VmHWM') - before;

  const outcomes: Record<string, number> = {};
  const ends = new Map<string, number>();
  for (const worker of workers) {
    for (const { type, inputId } of await transcriptOf(worker)) {
      if (inputId !== undefined && ENDS.has(type)) ends.set(inputId, (ends.get(inputId) ?? 0) + 1);
    }
  }
  for (const { workerId, inputId } of accepted) {
    const { outcome = 'none' } = runtime.worker(workerId).input(inputId);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  const strayInputs = accepted.filter(({ inputId }) => ends.get(inputId) !== 1).length;
  const { mailbox: left } = await runtime.describe();
  return { sent, accepted: accepted.length, refused, outcomes, strayInputs, left, grownBytes };
}

const [gate = ''] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await flood(gate))}\n`);
