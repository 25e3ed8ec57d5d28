// Random commands for a worker of the kind `moody`, repeatable by their seed, and the book of what came of each.

import type { WorkerHandle } from '../../lib/supervisor/handle.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';

/** The answers that a command may get when its worker is not in the right status for it, or its host dies. */
export const ALLOWED = {
  tell: ['accepted', 'worker_stopping', 'worker_stopped'],
  ask: [
    'completed',
    'actor_error',
    'cancelled',
    'expired',
    'timeout',
    'host_lost',
    'worker_stopping',
    'worker_stopped',
  ],
  cancel: ['none', 'removed', 'aborting', 'ended'],
  stop: ['stopped'],
  restore: [
    'idle',
    'running',
    'stopped',
    'stopping',
    'restarting',
    // Its host may be recycled as soon as it has started.
    'starting',
    'hibernated',
    'worker_active',
    'worker_stopping',
  ],
};
export type Command = keyof typeof ALLOWED;

/** What is under way, by a name for the report of what hangs; and what came of it. */
export class Ledger {
  readonly #pending = new Map<string, Promise<unknown>>();
  readonly answers: { command: Command; answer: string }[] = [];

  add(command: Command, name: string, answering: Promise<unknown>): void {
    const done = codeOf(answering).then((answer) => {
      this.#pending.delete(name);
      this.answers.push({ command, answer: String(answer) });
    });
    this.#pending.set(name, done);
  }

  /** Resolves when no more than `most` are under way; rejects with their names when that is not so in time. */
  async pending(most: number, withinMs: number, describe: () => string): Promise<void> {
    await eventually(() => this.#pending.size <= most, withinMs).catch(() => {
      throw new Error(`pending: ${[...this.#pending.keys()].join(', ')}\n${describe()}`);
    });
  }
}

export function play(random: () => number, worker: WorkerHandle, n: number, ids: Set<string>, ledger: Ledger): void {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const acts = ['answer', 'answer', 'answer', 'answer', 'throw', 'spin', 'wait', 'wait', 'exit'];
  const input = { n, do: pick(acts), ms: Math.floor(random() * 20) };
  const name = `#${n} ${worker.workerId}`;
  const roll = random();
  if (roll < 0.45 || roll >= 0.955) {
    const options = random() < 0.2 ? { deadlineMs: 1 + Math.floor(random() * 30) } : {};
    const told = worker.tell(input, options).then(({ inputId }) => {
      ids.add(inputId);
      return 'accepted';
    });
    ledger.add('tell', `${name} tell ${input.do}`, told);
  } else if (roll < 0.75) {
    const timeoutMs = random() < 0.5 ? 20_000 : 1 + Math.floor(random() * 60);
    ledger.add(
      'ask',
      `${name} ask ${input.do}`,
      worker.ask(input, { timeoutMs }).then(() => 'completed'),
    );
  } else if (roll < 0.93) {
    const inputId = random() < 0.6 ? pick([...ids]) : undefined;
    const request = inputId === undefined ? {} : { inputId };
    // An id of another worker's input is as unknown as any.
    const cancelling = worker.cancel(request).then(
      ({ effect }) => effect,
      (error: { code: string }) => (error.code === 'input_not_found' ? 'none' : error.code),
    );
    ledger.add('cancel', `${name} cancel`, cancelling);
  } else if (roll < 0.945) {
    ledger.add(
      'stop',
      `${name} stop`,
      worker.stop({ drain: random() < 0.5 }).then(({ status }) => status),
    );
  } else if (roll < 0.955) {
    ledger.add(
      'restore',
      `${name} restore`,
      worker.restore().then(({ status }) => status),
    );
  }
}
