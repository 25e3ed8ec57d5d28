// How long from the start of the process to the ready line and to the first answer, what does a host add to that, and how
// much memory does a runtime take that does nothing?

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStandalone } from '../support/standalone.ts';
import type { Standalone } from '../support/standalone.ts';
import { counterActor } from '../support/runtime.ts';
import { memoryOf } from '../support/process.ts';
import { interleave, roundsOf } from '../support/rounds.ts';
import type { Subject } from '../support/rounds.ts';
import type { Effort, Findings, Measure, Scenario } from '../support/scenario.ts';

const EFFORTS = { quick: { rounds: 3 }, full: { rounds: 9 } } as const satisfies Record<Effort, unknown>;

const HOSTS = [1, 4] as const;
const MiB = 1_024 * 1_024;
const [READY, ANSWER, RSS] = ['ms to the ready line', 'ms to the first answer', 'RSS in MiB at rest'];

export const startup: Scenario = {
  name: 'startup',
  question:
    'time from the start of the process to its ready line and to the first answer, and memory at rest, by hosts',
  run: async (effort): Promise<Findings> => {
    const measures = await interleave(HOSTS.map(started), EFFORTS[effort].rounds);
    const [few, many] = HOSTS;
    const each = (quantity: string, of: string): Measure => {
      const [from, to] = [few, many].map((hosts) => roundsOf(measures, subjectOf(hosts), quantity));
      const perRound = (to ?? []).map((value, round) => (value - (from?.[round] ?? NaN)) / (many - few));
      return { subject: 'each further host', quantity: of, perRound };
    };
    const further = [
      each(READY, READY),
      ...(measures.some(({ quantity }) => quantity === RSS) ? [each(RSS, RSS)] : []),
    ];
    return { measures: [...measures, ...further], ratios: [], chart: { of: 'measures', scale: 'linear' } };
  },
};

function subjectOf(hosts: number): string {
  return `greenroom start, ${hosts} host${hosts === 1 ? '' : 's'}`;
}

function started(hosts: number): Subject {
  return {
    name: subjectOf(hosts),
    turn: async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'greenroom-startup-'));
      const startMs = performance.now();
      let standalone: Standalone | undefined;
      try {
        standalone = await openStandalone({ actor: counterActor, hosts, dataDir });
        const readyMs = performance.now() - startMs;
        const memory = memoryOf(standalone.pid);
        await standalone.create('counter', 'first');
        const total = await standalone.ask('first', { add: 2 });
        const answerMs = performance.now() - startMs;
        if (total !== 2) throw new Error(`2 was answered with ${JSON.stringify(total)}`);
        return { [READY]: readyMs, [ANSWER]: answerMs, ...(memory !== null && { [RSS]: memory.rss / MiB }) };
      } finally {
        await standalone?.close();
        await rm(dataDir, { recursive: true });
      }
    },
  };
}
