// Proof of who asks. A definition names variables of the runtime's environment, never their values: those are looked up when the function
// is registered, so that a missing one is noticed then, and again at each call. They are kept nowhere.

import { createHmac } from 'node:crypto';
import type { Egress } from '../egress/egress.ts';
import { GreenroomError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { HttpAuth } from '../protocol/http-function.ts';
import type { Payload } from '../protocol/payload.ts';
import { isHeaderValue } from './headers.ts';
import type { Headers } from './headers.ts';

type Secrets = Pick<Egress, 'secret'>;

/** Throws `secret_not_found`, `token_not_found` or `api_key_not_found`. */
export function requireSecret(auth: HttpAuth, secrets: Secrets): string {
  switch (auth.type) {
    case 'hmac':
      return found(secrets.secret(auth.secret_key), 'secret_not_found');
    case 'bearer':
      return sendable(secrets.secret(auth.token_key), 'token_not_found');
    case 'api_key':
      return sendable(secrets.secret(auth.value_key), 'api_key_not_found');
    default:
      return auth satisfies never;
  }
}

/** Adds the proof to the headers, in place of what they have under its names. Throws as `requireSecret` does. */
export function authorize(headers: Headers, body: Payload, auth: HttpAuth, secrets: Secrets): void {
  const secret = requireSecret(auth, secrets);
  switch (auth.type) {
    case 'bearer':
      headers['authorization'] = `Bearer ${secret}`;
      return;
    case 'api_key':
      headers[auth.header.toLowerCase()] = secret;
      return;
    case 'hmac': {
      // The one that is signed is the one that is sent, whatever the definition says.
      const timestamp = timestampNow();
      headers['x-iii-timestamp'] = timestamp;
      headers['x-iii-signature'] = `sha256=${sign(secret, timestamp, body)}`;
      return;
    }
    default:
      auth satisfies never;
  }
}

let lastSecond = 0;
let lastText = '0';

/** Unix time in seconds. */
export function timestampNow(): string {
  const second = Math.floor(Date.now() / 1_000);
  if (second !== lastSecond) [lastSecond, lastText] = [second, String(second)];
  return lastText;
}

function sign(secret: string, timestamp: string, body: Payload): string {
  const bytes = typeof body === 'string' ? Buffer.from(body) : asBuffer(body);
  return createHmac('sha256', secret).update(`${timestamp}:`).update(bytes.toString('base64')).digest('hex');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function found(value: string | undefined, code: ErrorCode): string {
  if (value === undefined || value === '') throw GreenroomError.of(code);
  return value;
}

function sendable(value: string | undefined, code: ErrorCode): string {
  const text = found(value, code);
  if (isHeaderValue(text)) return text;
  throw GreenroomError.of(code, { message: 'What the variable holds cannot be sent in a header.' });
}
