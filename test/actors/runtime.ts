// A runtime of one host with the shipped actors, closed with the test.

import type { TestContext } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { createRuntime } from '../../lib/runtime.ts';
import type { Runtime } from '../../lib/runtime.ts';

export const ACTORS = new URL('../../actors/', import.meta.url);

export async function startRuntime(t: TestContext): Promise<Runtime> {
  const runtime = await createRuntime({ actors: [ACTORS], hosts: 1 });
  t.after(() => runtime.close({ deadlineMs: 1_000 }));
  return runtime;
}

export const hasCode = (code: string) => (error: unknown) => error instanceof GreenroomError && error.code === code;
