// Takes what it is told without an answer, and says when asked how many questions that were and what their numbers add up
// to, so that a message that was lost or handled twice shows. Kept in the thread and not in the state: it must not be
// restarted.

import * as v from 'valibot';
import { defineActor } from '../../lib/actor.ts';
import type { Question } from '../support/question.ts';

export interface Tally {
  readonly count: number;
  readonly sum: number;
}

const tallies = new Map<string, { count: number; sum: number }>();

export default defineActor({
  kind: 'tally',
  config: v.strictObject({}),
  input: v.unknown(),
  receive: (input, ctx) => {
    let tally = tallies.get(ctx.workerId);
    if (tally === undefined) tallies.set(ctx.workerId, (tally = { count: 0, sum: 0 }));
    if (input === 'report') return { ...tally };
    const { id, text } = input as Question;
    if (!text.startsWith('question ')) throw new Error('this is no question');
    tally.count++;
    tally.sum += id;
    return null;
  },
});
