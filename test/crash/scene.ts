// What a runtime says and what clients have heard of it, made up: for the tests of the judge.

import assert from 'node:assert/strict';
import type { Entry } from './account.ts';
import { chained } from './chain.ts';
import { gather } from './evidence.ts';
import type { Heard, Run, Told } from './heard.ts';
import { Judge } from './judge.ts';
import type { WorkerAnswer } from './judge.ts';
import { Verdict } from './verdict.ts';

export const AT = '2026-01-01T00:00:00.000Z';

/** What a worker `w` says of itself and what clients have heard of it; a test changes one thing. */
export class Scene {
  readonly heard: Heard[] = [];
  readonly answers = new Map<string, { status: string | null; entries: Entry[]; state: WorkerAnswer['state'] }>();
  runs: Run[] = [];
  #us = 0;

  constructor(kind = 'crash-once', workerId = 'w') {
    this.add(workerId, kind);
  }

  add(workerId: string, kind: string): void {
    this.hear({ op: 'life', workerId, kind, is: 'active' });
    this.answers.set(workerId, { status: 'idle', entries: [], state: { count: 0, chain: '' } });
  }

  of(workerId = 'w') {
    const answer = this.answers.get(workerId);
    assert.ok(answer);
    return answer;
  }

  hear(told: Told): void {
    this.heard.push({ ...told, atUs: ++this.#us });
  }

  ack(name: string, more: { inputId?: string; batch?: string; line?: number; sentUs?: number } = {}): void {
    this.hear({ op: 'ack', workerId: 'w', name, inputId: `i${name}`, sentUs: ++this.#us, ...more });
  }

  entry(type: string, inputId: string, data: unknown, workerId = 'w'): void {
    const { entries } = this.of(workerId);
    const sequence = (entries.at(-1)?.sequence ?? 0) + 1;
    entries.push({ sequence, at: AT, type, input_id: inputId, data });
  }

  input(name: string, more: object = {}, workerId = 'w'): void {
    const [n, ring] = name.split('/').map(Number);
    this.entry('input', `i${name}`, { n, ...(ring !== undefined && { ring }), ...more }, workerId);
  }

  run(name: string, attempt = 1, workerId = 'w'): void {
    this.runs.push({ workerId, inputId: `i${name}`, name, attempt });
  }

  output(
    name: string,
    {
      attempt = 1,
      workerId = 'w',
      ...more
    }: { attempt?: number; workerId?: string; told?: unknown; rings?: number } = {},
  ): void {
    const answer = this.of(workerId);
    const { count = 0, chain = '' } = answer.state ?? {};
    answer.state = { count: count + 1, chain: chained(chain, [name, attempt]) };
    this.entry('output', `i${name}`, { name, attempt, ...answer.state, ...more }, workerId);
  }

  /** Accepted, run, completed and acknowledged. */
  whole(name: string): void {
    this.ack(name);
    this.input(name);
    this.run(name);
    this.output(name);
  }

  broken(): Record<string, number> {
    const verdict = new Verdict();
    const judge = new Judge(verdict);
    for (const [workerId, known] of gather(this.heard)) {
      known.runs.push(...this.runs.filter((run) => run.workerId === workerId));
      judge.worker(known, { workerId, ...this.of(workerId) });
    }
    judge.finish();
    return verdict.broken;
  }
}

/** What the judge finds broken in a scene. */
export function scene(change: (scene: Scene) => void, kind?: string): Record<string, number> {
  const made = new Scene(kind);
  change(made);
  return made.broken();
}
