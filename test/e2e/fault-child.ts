// A process that embeds a runtime in which an actor does what it should not, and then closes it. Its argument is the fault.
// Prints `closed` and does nothing more: from there on only what is left of the fault could keep the process alive.

import { codeOf } from '../support/start-runtime.ts';
import { startFaulty } from './fault-scene.ts';
import { FAULTS } from './fault-table.ts';

const fault = FAULTS.find(({ does }) => does === process.argv[2]);
if (fault === undefined) throw new Error('no such fault');
const runtime = await startFaulty(fault);
const worker = await runtime.create({ kind: fault.kind });
await codeOf(worker.ask(fault.input));
await runtime.close({ deadlineMs: 1_000 });
process.stdout.write('closed\n');
