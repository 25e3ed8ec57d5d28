// Not built yet.

import type { Dispatcher } from 'undici';
import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { Egress, EgressOptions, Reach } from './egress.ts';

export class Guard implements Egress {
  /** Throws `invalid_option`. */
  constructor(_options: EgressOptions, _limits: Limits) {}

  check(_url: string, _reach: Reach): Promise<URL> {
    throw GreenroomError.of('unsupported_operation');
  }

  parse(_url: string, _reach: Reach): URL {
    throw GreenroomError.of('unsupported_operation');
  }

  dispatcher(_reach: Reach): Promise<Dispatcher> {
    throw GreenroomError.of('unsupported_operation');
  }

  secret(_variable: string): string | undefined {
    return undefined;
  }

  async close(): Promise<void> {}
}
