// Where the actor of probes leaves what it gets, and what it answers.

interface Line {
  readonly inputs: unknown[];
  reply: (input: unknown) => unknown;
}

const lines = new Map<string, Line>();

export function openLine(workerId: string): Line {
  const line: Line = { inputs: [], reply: () => null };
  lines.set(workerId, line);
  return line;
}

export function closeLine(workerId: string): void {
  lines.delete(workerId);
}

/** Nobody listens any more once its probe is closed. */
export function received(workerId: string, input: unknown): unknown {
  const line = lines.get(workerId);
  line?.inputs.push(input);
  return line?.reply(input) ?? null;
}
