// Inputs that workers tell to others while they handle one of their own: effects of that input, if it is durable.

import type { Logger } from '../observe/log.ts';
import type { Wheel } from '../protocol/wheel.ts';
import type { Admission } from './admission.ts';
import { untilAccepted } from './asking.ts';
import type { Delivery } from './delivery.ts';
import type { Directory } from './directory.ts';
import { flush, stageTold, toldTo } from './effects.ts';
import { COMMANDS } from './states.ts';
import type { Worker } from './worker.ts';

export interface TellingParts {
  readonly directory: Directory<Worker>;
  readonly admission: Admission;
  readonly delivery: Delivery;
  readonly log: Logger;
  readonly wheel: Wheel;
}

export class Telling {
  readonly #parts: TellingParts;

  constructor(parts: TellingParts) {
    this.#parts = parts;
  }

  /**
   * Accepts an input that a worker tells; returns its id. It goes to its mailbox when the one that the worker handles has completed, with
   * its outcome, unless that is volatile. Throws what a delivery is refused with.
   */
  async tell(workerId: string, inputSeq: number, targetId: string, value: unknown): Promise<string> {
    const { directory, admission, delivery, log } = this.#parts;
    const sender = directory.get(workerId);
    const target = directory.require(targetId);
    if (sender?.sentInput(inputSeq)?.isVolatile !== false)
      return (await untilAccepted(admission.value(target, value, {}), this.#parts.wheel)).inputId;
    const { text, bytes } = admission.prepare(target, value, toldTo(sender, inputSeq, targetId));
    const seq = delivery.reserveSeq();
    stageTold(sender, inputSeq, targetId, bytes, () => {
      // Much may have happened meanwhile. It was accepted for room that it takes now, even if others have taken that.
      const worker = directory.get(targetId);
      if (worker !== undefined && COMMANDS.input[worker.status] === 'accept')
        delivery.accept(worker, text, bytes, null, {}, seq);
      else log.warn({ worker_id: targetId, told_by: workerId }, 'told input dropped: its worker has ended');
    });
    return delivery.inputId(seq);
  }

  /** Has everything take effect that the worker's input at hand has caused so far. */
  flush(workerId: string): void {
    const worker = this.#parts.directory.get(workerId);
    if (worker !== undefined) flush(worker);
  }
}
