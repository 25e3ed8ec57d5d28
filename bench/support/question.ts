// The small message that is echoed: about 64 bytes as JSON, and never the same object twice, because structured clone
// serialises an object that occurs twice in one message only once.

export interface Question {
  readonly id: number;
  readonly text: string;
}

let lastId = 0;

export function nextQuestion(): Question {
  const id = ++lastId;
  return { id, text: `question ${id}: please answer it as it is` };
}

/** Of `{"id":,"text":""}`. */
const FRAME_CHARS = 17;

/** A question of exactly this many bytes as JSON; ASCII, so that characters are bytes. */
export function questionOf(bytes: number): Question {
  const id = ++lastId;
  return { id, text: textOf(id, bytes) };
}

function textOf(id: number, bytes: number): string {
  const digits = String(id);
  const chars = bytes - FRAME_CHARS - digits.length;
  if (chars <= digits.length) throw new Error(`no question fits in ${bytes} bytes`);
  return `${digits}:`.padEnd(chars, 'x');
}

/** For whoever keeps only the number of a question that `questionOf` made: throws unless the answer is that question. */
export function requireAnswerTo(id: number, bytes: number, answer: unknown): void {
  requireAnswer({ id, text: textOf(id, bytes) }, answer);
}

/** Throws unless the answer is an equal copy of the question. */
export function requireAnswer(question: Question, answer: unknown): void {
  const { id, text } = (answer ?? {}) as Partial<Question>;
  if (id !== question.id || text !== question.text || answer === question) {
    throw new Error(`question ${question.id} was answered with ${String(JSON.stringify(answer)).slice(0, 200)}`);
  }
}
