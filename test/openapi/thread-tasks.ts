// What the thread of single-thread.test.ts does: the task says it. It tells that it has begun before it does.

import type { MessagePort } from 'node:worker_threads';
import { threadId } from 'node:worker_threads';
import { GreenroomError } from '../../lib/errors.ts';
import { outcomeOf } from '../../lib/openapi/thread-outcome.ts';
import type { ThreadOutcome } from '../../lib/openapi/thread-outcome.ts';

export interface TestTask {
  readonly act: 'answer' | 'spin' | 'fill' | 'refuse' | 'fail';
  readonly port: MessagePort;
}

export default function perform({ act, port }: TestTask): Promise<ThreadOutcome<number>> {
  port.postMessage('begun');
  return outcomeOf(() => {
    switch (act) {
      case 'answer':
        return threadId;
      case 'refuse':
        throw GreenroomError.of('invalid_input', { details: { a: 1 } });
      case 'fail':
        throw new Error('nobody expects this');
      case 'fill':
        for (const kept: unknown[] = []; ;) kept.push(Array.from({ length: 100_000 }, (_, n) => [n]));
      case 'spin':
        for (;;);
      default:
        return act satisfies never;
    }
  });
}
