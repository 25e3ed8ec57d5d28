// Closed-loop load: so many questions in flight, the next one when one is answered. Tinybench awaits one call before the
// next or starts all of them at once, so it cannot hold a window; hence this loop.

import { nextQuestion, requireAnswer } from './question.ts';
import type { Question } from './question.ts';
import { percentiles } from './statistics.ts';
import type { Percentiles } from './statistics.ts';

/** `lane` is 0 to inFlight - 1: who spreads questions over workers does it by lane. */
export type Ask = (question: Question, lane: number) => Promise<unknown>;

export interface LoadOptions {
  readonly inFlight: number;
  /** How long new questions are asked; the answers to the last ones are waited for, and their time counts. */
  readonly forMs: number;
  readonly question?: () => Question;
  /** After the last question was asked, 20 s by default. Whoever needs longer has lost an answer. */
  readonly answersWithinMs?: number;
}

export interface LoadResult {
  readonly asked: number;
  readonly perSecond: number;
}

/** A look at the clock takes about a twentieth of the fastest ask. */
const ASKS_PER_LOOK = 16;
const ANSWERS_WITHIN_MS = 20_000;

/** Rejects at the first wrong answer, and when answers are missing in the end. */
export async function holdInFlight(ask: Ask, options: LoadOptions): Promise<LoadResult> {
  const { inFlight, forMs, question: make = nextQuestion, answersWithinMs = ANSWERS_WITHIN_MS } = options;
  let isOver = false;
  let asked = 0;
  let answered = 0;
  const lane = async (number: number): Promise<void> => {
    while (!isOver) {
      const question = make();
      // Beside the timer: who sends and answers in one turn of the loop, again and again, starves all timers.
      if (++asked % ASKS_PER_LOOK === 0) isOver ||= performance.now() >= endMs;
      requireAnswer(question, await ask(question, number));
      answered++;
    }
  };
  const startMs = performance.now();
  const endMs = startMs + forMs;
  const end = setTimeout(() => (isOver = true), forMs);
  try {
    const lanes = Promise.all(Array.from({ length: inFlight }, (_, number) => lane(number)));
    await within(lanes, forMs + answersWithinMs, () => `${asked - answered} of ${asked} questions have no answer`);
  } finally {
    isOver = true;
    clearTimeout(end);
  }
  if (answered !== asked) throw new Error(`${asked} questions, ${answered} answers`);
  return { asked, perSecond: answered / ((performance.now() - startMs) / 1_000) };
}

/** One question at a time, each timed; in µs. */
export async function oneByOne(ask: Ask, forMs: number): Promise<Percentiles> {
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
  return percentiles(samplesUs);
}

/**
 * Questions at times that were fixed before, whether or not answers have come, each timed from the time at which it should
 * have been sent: a question that is sent late because the process was busy has waited, and its wait counts. In µs.
 */
export async function onSchedule(ask: Ask, perSecond: number, forMs: number): Promise<Percentiles> {
  const total = Math.ceil((perSecond * forMs) / 1_000);
  const gapMs = 1_000 / perSecond;
  const samplesUs: number[] = [];
  const startMs = performance.now();
  const send = async (number: number): Promise<void> => {
    const question = nextQuestion();
    requireAnswer(question, await ask(question, number));
    samplesUs.push((performance.now() - startMs - number * gapMs) * 1_000);
  };
  const sendAll = new Promise<void>((resolve, reject) => {
    let sent = 0;
    const sendDue = (): void => {
      const due = Math.min(total, Math.floor((performance.now() - startMs) / gapMs) + 1);
      while (sent < due) send(sent++).then(() => samplesUs.length === total && resolve(), reject);
      // A timer would be late by up to 1 ms each time; a turn of the loop takes microseconds.
      if (sent < total) setImmediate(sendDue);
    };
    sendDue();
  });
  await within(sendAll, forMs + ANSWERS_WITHIN_MS, () => `${total - samplesUs.length} of ${total} have no answer`);
  return percentiles(samplesUs);
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
