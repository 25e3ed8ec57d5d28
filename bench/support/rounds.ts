// Interleaved rounds: in each round every subject has its turn, and the next round begins with the next subject, so that
// a disturbance of the machine, its warmth and the order hit all of them alike.

import type { Measure } from './scenario.ts';

export interface Subject {
  readonly name: string;
  /** One turn; quantities with their values. */
  turn(): Promise<Readonly<Record<string, number>>>;
}

/** Measures in the order of the subjects, all subjects of one quantity together. */
export async function interleave(subjects: readonly Subject[], rounds: number): Promise<Measure[]> {
  const values = new Map<string, Map<string, number[]>>();
  for (let round = 0; round < rounds; round++) {
    for (const turn of subjects.keys()) {
      const subject = subjects[(turn + round) % subjects.length];
      if (subject === undefined) continue;
      for (const [quantity, value] of Object.entries(await named(subject))) {
        const bySubject = values.get(quantity) ?? new Map<string, number[]>();
        values.set(quantity, bySubject);
        bySubject.set(subject.name, [...(bySubject.get(subject.name) ?? []), value]);
      }
    }
  }
  return [...values].flatMap(([quantity, bySubject]) =>
    subjects.flatMap(({ name: subject }) => {
      const perRound = bySubject.get(subject);
      return perRound === undefined ? [] : [{ subject, quantity, perRound }];
    }),
  );
}

async function named(subject: Subject): Promise<Readonly<Record<string, number>>> {
  try {
    return await subject.turn();
  } catch (cause) {
    throw new Error(`${subject.name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

export function roundsOf(measures: readonly Measure[], subject: string, quantity: string): readonly number[] {
  const found = measures.find((measure) => measure.subject === subject && measure.quantity === quantity);
  if (found === undefined) throw new Error(`${subject} has no ${quantity}`);
  return found.perRound;
}
