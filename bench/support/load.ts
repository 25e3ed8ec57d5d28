// Closed-loop load: so many questions in flight, the next one when one is answered. Tinybench awaits one call before the
// next or starts all of them at once, so it cannot hold a window; hence this loop.

import { nextQuestion, requireAnswer } from './question.ts';
import type { Question } from './question.ts';
import { quantile } from './statistics.ts';

/** `lane` is 0 to inFlight - 1: who spreads questions over workers does it by lane. */
export type Ask = (question: Question, lane: number) => Promise<unknown>;

export interface LoadOptions {
  readonly inFlight: number;
  /** How long new questions are asked; the answers to the last ones are waited for, and their time counts. */
  readonly forMs: number;
  readonly question?: () => Question;
}

export interface LoadResult {
  readonly asked: number;
  readonly perSecond: number;
}

/** After the last question was asked. Whoever needs longer has lost an answer. */
const ANSWERS_WITHIN_MS = 20_000;

/** Rejects at the first wrong answer, and when answers are missing in the end. */
export async function holdInFlight(ask: Ask, options: LoadOptions): Promise<LoadResult> {
  const { inFlight, forMs, question: make = nextQuestion } = options;
  let isOver = false;
  let asked = 0;
  let answered = 0;
  const lane = async (number: number): Promise<void> => {
    while (!isOver) {
      const question = make();
      asked++;
      requireAnswer(question, await ask(question, number));
      answered++;
    }
  };
  const startMs = performance.now();
  const end = setTimeout(() => (isOver = true), forMs);
  try {
    const lanes = Promise.all(Array.from({ length: inFlight }, (_, number) => lane(number)));
    await within(lanes, forMs + ANSWERS_WITHIN_MS, () => `${asked - answered} of ${asked} questions have no answer`);
  } finally {
    isOver = true;
    clearTimeout(end);
  }
  if (answered !== asked) throw new Error(`${asked} questions, ${answered} answers`);
  return { asked, perSecond: answered / ((performance.now() - startMs) / 1_000) };
}

/** One question at a time, each timed. */
export async function oneByOne(ask: Ask, forMs: number): Promise<{ p50Us: number; p99Us: number }> {
  const samplesUs: number[] = [];
  const measure = async (): Promise<void> => {
    for (const endMs = performance.now() + forMs; performance.now() < endMs;) {
      const question = nextQuestion();
      const askedMs = performance.now();
      const answer = await ask(question, 0);
      samplesUs.push((performance.now() - askedMs) * 1_000);
      requireAnswer(question, answer);
    }
  };
  await within(measure(), forMs + ANSWERS_WITHIN_MS, () => 'a question has no answer');
  samplesUs.sort((a, b) => a - b);
  return { p50Us: quantile(samplesUs, 0.5), p99Us: quantile(samplesUs, 0.99) };
}

/** Rejects when the work takes longer; a timer that the work cannot starve, since every answer comes with a turn. */
export async function within<T>(work: Promise<T>, ms: number, problem: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${ms} ms: ${problem()}`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
