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

/** A question of exactly this many bytes as JSON; ASCII, so that characters are bytes. */
export function questionOf(bytes: number): Question {
  const id = ++lastId;
  const head = `${id}:`;
  const overhead = JSON.stringify({ id, text: head }).length;
  if (overhead > bytes) throw new Error(`no question fits in ${bytes} bytes`);
  return { id, text: head.padEnd(bytes - overhead + head.length, 'x') };
}

/** Throws unless the answer is an equal copy of the question. */
export function requireAnswer(question: Question, answer: unknown): void {
  const { id, text } = answer as Question;
  if (id !== question.id || text !== question.text || answer === question) {
    throw new Error(`question ${question.id} was answered with ${JSON.stringify(answer).slice(0, 200)}`);
  }
}
