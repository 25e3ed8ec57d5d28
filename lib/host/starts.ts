// Workers to be started, and what became of them, as they cross the wire: in columns, each text once. Structured clone is
// paid per object and per string, and workers that are started together have nearly everything in common.

import type { WireError } from '../errors.ts';
import type { Payload } from '../protocol/payload.ts';
import type { StartResult, WorkerSpec } from './host.ts';

export interface PackedStarts {
  readonly workerIds: readonly string[];
  readonly texts: readonly Payload[];
  /** Five per worker: its slot, the places of its module, its config and its state among the texts, and the state's version. */
  readonly numbers: Int32Array;
}

export interface PackedResults {
  readonly texts: readonly Payload[];
  /** Two per worker: the place of its state, and the version of that. */
  readonly states: Int32Array;
  /** Of those that could not start, with their place among the workers. */
  readonly errors: readonly (readonly [number, WireError])[];
}

const NUMBERS = 5;
const RESULT_NUMBERS = 2;
/** Place of a text that is not there. */
const NONE = -1;

export function packStarts(specs: readonly WorkerSpec[]): PackedStarts {
  const texts = new Texts();
  const numbers = new Int32Array(NUMBERS * specs.length);
  const workerIds = specs.map(({ workerId, slot, module, config, state, stateVersion }, n) => {
    numbers[NUMBERS * n] = slot;
    numbers[NUMBERS * n + 1] = texts.add(module);
    numbers[NUMBERS * n + 2] = texts.add(config);
    numbers[NUMBERS * n + 3] = texts.add(state);
    numbers[NUMBERS * n + 4] = stateVersion;
    return workerId;
  });
  return { workerIds, texts: texts.all, numbers };
}

export function unpackStarts({ workerIds, texts, numbers }: PackedStarts): WorkerSpec[] {
  const text = (place: number | undefined): Payload => texts[place ?? NONE] as Payload;
  return workerIds.map((workerId, n) => ({
    workerId,
    slot: numbers[NUMBERS * n] as number,
    module: text(numbers[NUMBERS * n + 1]) as string,
    config: text(numbers[NUMBERS * n + 2]),
    state: numbers[NUMBERS * n + 3] === NONE ? null : text(numbers[NUMBERS * n + 3]),
    stateVersion: numbers[NUMBERS * n + 4] as number,
  }));
}

export function packResults(results: readonly StartResult[]): PackedResults {
  const texts = new Texts();
  const errors: [number, WireError][] = [];
  const states = new Int32Array(RESULT_NUMBERS * results.length);
  results.forEach((result, n) => {
    if ('error' in result) {
      errors.push([n, result.error]);
      return;
    }
    states[RESULT_NUMBERS * n] = texts.add(result.state);
    states[RESULT_NUMBERS * n + 1] = result.stateVersion;
  });
  return { texts: texts.all, states, errors };
}

export function unpackResults({ texts, states, errors }: PackedResults): StartResult[] {
  const results = Array.from({ length: states.length / RESULT_NUMBERS }, (_, n): StartResult => ({
    state: texts[states[RESULT_NUMBERS * n] ?? NONE] ?? null,
    stateVersion: states[RESULT_NUMBERS * n + 1] as number,
  }));
  for (const [n, error] of errors) results[n] = { error };
  return results;
}

class Texts {
  readonly all: Payload[] = [];
  readonly #places = new Map<Payload, number>();

  /** Its place; the same for the same text. */
  add(text: Payload | null): number {
    if (text === null) return NONE;
    let place = this.#places.get(text);
    if (place === undefined) {
      place = this.all.push(text) - 1;
      this.#places.set(text, place);
    }
    return place;
  }
}
