// Not built yet: sends requests with undici.

import type { Egress } from '../egress/egress.ts';
import { GreenroomError } from '../errors.ts';
import type { Limits } from '../limits.ts';
import type { HttpAnswer, HttpClient, HttpLine, HttpRequest, HttpWait } from './exchange.ts';

export class UndiciClient implements HttpClient {
  constructor(_parts: { readonly egress: Egress; readonly limits: Limits }) {}

  exchange(_line: HttpLine, _request: HttpRequest, _wait: HttpWait): Promise<HttpAnswer> {
    throw GreenroomError.of('unsupported_operation');
  }

  fetchDocument(_url: string, _maxBytes: number, _wait: HttpWait): Promise<HttpAnswer> {
    throw GreenroomError.of('unsupported_operation');
  }
}
