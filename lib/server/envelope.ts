// One line of a batch across workers: `{"worker_id":…,"input":…}`. Only its own five members are looked at: the input is parsed once,
// by whoever validates it, and travels as it was sent. Nothing gets through that JSON.parse would refuse.

import { GreenroomError } from '../errors.ts';
import { QUOTE } from '../protocol/json-marks.ts';
import { MemberReader, stringIn } from '../protocol/members.ts';
import type { Durability } from '../protocol/views.ts';
import { requireDeadlineMs, requireDurability, requireIdempotencyKey } from './input-headers.ts';

const NAMES = ['worker_id', 'input', 'idempotency_key', 'deadline_ms', 'durability'] as const;
const [WORKER_ID, INPUT, IDEMPOTENCY_KEY, DEADLINE_MS, DURABILITY] = [0, 1, 2, 3, 4] as const;
/** Of an unknown key, what is told back of it. */
const MAX_NAME_CHARS = 64;

/** A line's members. One object for all lines of a batch: read it before the next line. */
export class EnvelopeReader {
  workerId = '';
  /** Where the input begins and ends. */
  inputStart = 0;
  inputEnd = 0;
  idempotencyKey: string | undefined;
  /** In ms; undefined: it waits. */
  deadlineMs: number | undefined;
  /** Undefined: as the batch or the actor says. */
  durability: Durability | undefined;

  readonly #members = new MemberReader({
    names: NAMES,
    unknown: (name) => invalidMember(name.slice(0, MAX_NAME_CHARS), 'unknown key'),
    repeated: (name) => invalidMember(name, 'given more than once'),
  });
  #source: Buffer = Buffer.alloc(0);

  /**
   * Begins with a line. True when its members are there; false when it is so long that the loop should have a turn before `goOn`.
   * Throws `invalid_json` or `invalid_request`. The input itself is not checked.
   */
  read(source: Buffer, start: number, end: number): boolean {
    this.#source = source;
    return this.#members.read(source, start, end) && this.#take();
  }

  /** The same for the next piece of the line. */
  goOn(): boolean {
    return this.#members.goOn() && this.#take();
  }

  #take(): true {
    const members = this.#members;
    if (!members.has(WORKER_ID)) throw invalidMember('worker_id', 'required');
    if (!members.has(INPUT)) throw invalidMember('input', 'required');
    this.workerId = this.#string(WORKER_ID);
    this.inputStart = members.startOf(INPUT);
    this.inputEnd = members.endOf(INPUT);
    this.idempotencyKey = members.has(IDEMPOTENCY_KEY)
      ? requireIdempotencyKey(this.#string(IDEMPOTENCY_KEY), 'idempotency_key')
      : undefined;
    this.deadlineMs = members.has(DEADLINE_MS)
      ? requireDeadlineMs(this.#digits(DEADLINE_MS), 'deadline_ms')
      : undefined;
    this.durability = members.has(DURABILITY) ? requireDurability(this.#string(DURABILITY), 'durability') : undefined;
    return true;
  }

  #string(index: number): string {
    const start = this.#members.startOf(index);
    if (this.#source[start] !== QUOTE) throw invalidMember(NAMES[index] as string, 'expected string');
    return stringIn(this.#source, start, this.#members.endOf(index));
  }

  #digits(index: number): string {
    return this.#source.toString('latin1', this.#members.startOf(index), this.#members.endOf(index));
  }
}

function invalidMember(path: string, message: string): GreenroomError {
  return GreenroomError.of('invalid_request', { details: { issues: [{ path, message }] } });
}
