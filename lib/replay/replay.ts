// Feeds a worker's recorded inputs, in their order, to an actor on a host of its own, and says where what comes out differs from what the
// transcript has, and the state at the end from the one that is saved. Nothing of the worker is changed.
//
//   transcript ─▶ inputs ─▶ scratch host ─▶ result · emitted ─▶ compared with the transcript
//                                        ─▶ state at the end ─▶ compared with the saved one

import { asGreenroomError, GreenroomError } from '../errors.ts';
import { decode } from '../protocol/payload.ts';
import type { Payload } from '../protocol/payload.ts';
import { firstDifference } from './differences.ts';
import type { ValueDifference } from './differences.ts';
import { LEFT_OUT, readInputs } from './recorded.ts';
import type { LeftOut, Recorded, RecordedInput } from './recorded.ts';
import { Scratch } from './scratch.ts';
import type { Ran, ScratchOptions } from './scratch.ts';

export interface ReplayOptions extends ScratchOptions {
  /** URL of the actor's module. */
  readonly module: string;
  /** What the first kept input found: one JSON value, of the version of the saved state. Null for the actor's first state. */
  readonly fromState: Payload | null;
}

/** One place where a replay differs. */
export interface Difference extends ValueDifference {
  /** `result`: one of them completed and the other failed. `end`: the input did not end, and the replay did with it. */
  readonly of: 'result' | 'output' | 'error' | 'emitted' | 'end' | 'state';
  /** Null for the state. */
  readonly inputId: string | null;
  /** Of the entry of the input; null for the state. */
  readonly sequence: number | null;
  /** An input before it was refused a call to the outside: it may differ for that. */
  readonly isAfterRefusal: boolean;
}

export interface ReplayReport {
  readonly workerId: string;
  readonly kind: string;
  /** Of the oldest entry that is kept: above 1, what was before is gone. */
  readonly firstSequence: number;
  readonly fed: number;
  /** Of those. The others were refused a call to the outside, which is said of each. */
  readonly compared: number;
  readonly refused: readonly {
    readonly inputId: string;
    readonly sequence: number;
    readonly calls: readonly string[];
  }[];
  readonly leftOut: Readonly<Record<LeftOut, number>>;
  readonly isStateCompared: boolean;
  readonly differences: readonly Difference[];
}

/**
 * Rejects with `invalid_request` when the start of the transcript is gone, the worker has a state, and no `fromState` is given, or when
 * the actor is of another kind; with `invalid_actor`; and with why the worker cannot start.
 */
export async function replay(worker: Recorded, options: ReplayOptions): Promise<ReplayReport> {
  requireBeginning(worker, options.fromState);
  const scratch = new Scratch(options);
  try {
    const { module, fromState: state } = options;
    const { workerId, config, stateVersion } = worker;
    await requireKind(scratch, module, worker.kind);
    await scratch.start({ workerId, module, config, state, stateVersion });
    return await new Replay(worker, scratch, options.inputIdPrefix).run();
  } finally {
    await scratch.close();
  }
}

class Replay {
  readonly #worker: Recorded;
  readonly #scratch: Scratch;
  readonly #inputIdPrefix: string;
  readonly #differences: Difference[] = [];
  readonly #refused: { inputId: string; sequence: number; calls: readonly string[] }[] = [];
  readonly #leftOut = Object.fromEntries(LEFT_OUT.map((why) => [why, 0])) as Record<LeftOut, number>;
  #fed = 0;

  constructor(worker: Recorded, scratch: Scratch, inputIdPrefix: string) {
    this.#worker = worker;
    this.#scratch = scratch;
    this.#inputIdPrefix = inputIdPrefix;
  }

  async run(): Promise<ReplayReport> {
    let isWhole = true;
    for (const input of readInputs(this.#worker)) {
      if (typeof input.result === 'string') this.#leftOut[input.result]++;
      else isWhole = await this.#feed(input);
      if (!isWhole) break;
    }
    const { workerId, kind, firstSequence, state } = this.#worker;
    // A worker that nothing was fed to may have never started, and so have no state.
    const isStateCompared = isWhole && (this.#fed > 0 || state !== null);
    if (isStateCompared) this.#compare('state', null, valueOf(state), valueOf(this.#scratch.state));
    return {
      workerId,
      kind,
      firstSequence,
      fed: this.#fed,
      compared: this.#fed - this.#refused.length,
      refused: this.#refused,
      leftOut: this.#leftOut,
      isStateCompared,
      differences: this.#differences,
    };
  }

  /** False when there is no going on. */
  async #feed(input: RecordedInput): Promise<boolean> {
    this.#fed++;
    let ran: Ran;
    try {
      ran = await this.#scratch.run(input);
    } catch (thrown) {
      const { code } = asGreenroomError(thrown);
      this.#add('end', input, { path: '', recorded: summaryOf(input), replayed: code });
      return false;
    }
    if (ran.refused.length > 0) {
      this.#refused.push({ inputId: this.#idOf(input), sequence: input.sequence, calls: ran.refused });
      return true;
    }
    this.#compare('emitted', input, input.emitted.map(decode), ran.emitted.map(decode));
    const [recorded, replayed] = [input.result as Ran['result'], ran.result];
    if ('output' in recorded && 'output' in replayed)
      this.#compare('output', input, decode(recorded.output), decode(replayed.output));
    else if ('error' in recorded && 'error' in replayed) this.#compare('error', input, recorded.error, replayed.error);
    else this.#add('result', input, { path: '', recorded: summaryOf(input), replayed: summaryOf(ran) });
    return true;
  }

  #compare(of: Difference['of'], input: RecordedInput | null, recorded: unknown, replayed: unknown): void {
    const difference = firstDifference(recorded, replayed);
    if (difference !== null) this.#add(of, input, difference);
  }

  #add(of: Difference['of'], input: RecordedInput | null, difference: ValueDifference): void {
    const inputId = input === null ? null : this.#idOf(input);
    const isAfterRefusal = this.#refused.length > 0;
    this.#differences.push({ of, inputId, sequence: input?.sequence ?? null, isAfterRefusal, ...difference });
  }

  #idOf({ seq }: RecordedInput): string {
    return this.#inputIdPrefix + String(seq);
  }
}

function valueOf(state: Payload | null): unknown {
  return state === null ? null : decode(state);
}

/** How it ended, in a word: `completed`, or the code that it failed with. */
function summaryOf({ result }: Pick<RecordedInput | Ran, 'result'>): string {
  if (typeof result === 'string') return result;
  return 'output' in result ? 'completed' : result.error.code;
}

function requireBeginning({ firstSequence, state }: Recorded, fromState: Payload | null): void {
  if (firstSequence === 1 || state === null || fromState !== null) return;
  const message =
    `The transcript begins at sequence ${firstSequence}: what the worker's state was by then is not recorded. ` +
    'It can be replayed from a state that is given.';
  throw GreenroomError.of('invalid_request', { message, details: { first_sequence: firstSequence } });
}

async function requireKind(scratch: Scratch, module: string, kind: string): Promise<void> {
  const given = await scratch.kindOf(module);
  if (given === kind) return;
  throw GreenroomError.of('invalid_request', {
    message: `The actor is of the kind ${given}, the worker of ${kind.slice(0, 128)}.`,
  });
}
