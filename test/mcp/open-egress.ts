// An egress without a guard, for servers of the tests: what the guard refuses is tested where it is.

import type { TestContext } from 'node:test';
import { Agent } from 'undici';
import type { Egress } from '../../lib/egress/egress.ts';
import { GreenroomError } from '../../lib/errors.ts';

export function openEgress(t: Pick<TestContext, 'after'>, secrets: Record<string, string> = {}): Egress {
  const agent = new Agent();
  t.after(() => agent.destroy());
  const parse = (url: string): URL => {
    if (URL.canParse(url)) return new URL(url);
    throw GreenroomError.of('url_validation_failed', { details: { rule: 'syntax' } });
  };
  return {
    parse,
    check: async (url) => parse(url),
    dispatcher: async () => agent,
    secret: (variable) => secrets[variable],
    close: async () => undefined,
  };
}
