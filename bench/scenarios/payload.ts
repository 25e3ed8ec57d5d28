// How do asks per second and bytes per second depend on the size of the question?

import { greenroom } from '../contenders/greenroom.ts';
import { piscinaBest } from '../contenders/pools.ts';
import { batchesOfTexts } from '../contenders/ports.ts';
import { roundsOf } from '../support/rounds.ts';
import type { Effort, Findings, Scenario } from '../support/scenario.ts';
import { pairwise } from '../support/statistics.ts';
import { measureInProcesses } from '../support/turns.ts';
import { SIZES } from '../support/sizes.ts';
import type { Size } from '../support/sizes.ts';

const EFFORTS = {
  quick: { rounds: 1, warmUpMs: 100, forMs: 150 },
  full: { rounds: 5, warmUpMs: 250, forMs: 400 },
} as const satisfies Record<Effort, unknown>;

const BYTES_PER_MB = 1_000_000;
const ours = greenroom({ workers: 100 });

export const payload: Scenario = {
  name: 'payload',
  question: 'asks per second and megabytes per second (there; the same come back), by the size of the question as JSON',
  run: async (effort): Promise<Findings> => {
    const { rounds, ...times } = EFFORTS[effort];
    const contenders = [batchesOfTexts, piscinaBest, ours];
    const loads = SIZES.map((size) => ({ quantity: asks(size), inFlight: size.inFlight, bytes: size.bytes }));
    const rates = await measureInProcesses(contenders, rounds, { ...times, loads });
    const volumes = SIZES.flatMap((size) =>
      contenders.map(({ name: subject }) => ({
        subject,
        quantity: `MB/s of ${size.name}`,
        perRound: roundsOf(rates, subject, asks(size)).map((perSecond) => (perSecond * size.bytes) / BYTES_PER_MB),
      })),
    );
    const ratios = SIZES.map((size) => ({
      label: `${ours.name} : ${batchesOfTexts.name}, ${size.name}`,
      perRound: pairwise(roundsOf(rates, ours.name, asks(size)), roundsOf(rates, batchesOfTexts.name, asks(size))),
    }));
    return { measures: [...rates, ...volumes], ratios, chart: { of: 'ratios', scale: 'linear' } };
  },
};

function asks({ name }: Size): string {
  return `asks/s of ${name}`;
}
