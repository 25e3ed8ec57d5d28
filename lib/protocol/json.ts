// JSON from outside: parsed once, with the checks that JSON.parse does not make. Both the HTTP edge and the host use it,
// so that a body means the same thing whichever thread parses it.

import secureJson from 'secure-json-parse';
import { GreenroomError } from '../errors.ts';
import { MAX_JSON_DEPTH } from '../limits.ts';
import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './json-marks.ts';
import type { Payload } from './payload.ts';
import { payloadText } from './payload.ts';

/**
 * Parses untrusted JSON. Throws `invalid_json` for bad UTF-8, bad syntax, nesting deeper than MAX_JSON_DEPTH, and for
 * `__proto__` or `constructor.prototype` keys (they would poison whatever merges the value later).
 */
export function parseUntrusted(payload: Payload): unknown {
  const text = untrustedText(payload);
  // secure-json-parse would skip it, but whoever decodes the payload later would not.
  if (text.startsWith('\uFEFF')) throw GreenroomError.of('invalid_json');
  if (isTooDeep(text))
    throw GreenroomError.of('invalid_json', { message: `The body is nested deeper than ${MAX_JSON_DEPTH} levels.` });
  try {
    return secureJson.parse(text, undefined, { protoAction: 'error', constructorAction: 'error' });
  } catch (cause) {
    throw GreenroomError.of('invalid_json', { cause });
  }
}

/** The text of bytes from outside. Throws `invalid_json` when they are not UTF-8. */
export function untrustedText(payload: Payload): string {
  try {
    return payloadText(payload);
  } catch {
    throw GreenroomError.of('invalid_json', { message: 'The body is not valid UTF-8.' });
  }
}

/** Counts brackets outside strings. A text of at most twice the depth cannot be nested too deep, so small bodies cost nothing. */
function isTooDeep(text: string): boolean {
  if (text.length <= 2 * MAX_JSON_DEPTH) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        if (++depth > MAX_JSON_DEPTH) return true;
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth--;
        break;
      default:
    }
  }
  return false;
}

/** Index of the quote that closes the string opened at `open`; the end of the text if none does (JSON.parse will refuse it). */
function endOfString(text: string, open: number): number {
  let close = text.indexOf('"', open + 1);
  while (close !== -1) {
    let backslashes = 0;
    while (text.charCodeAt(close - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return close;
    close = text.indexOf('"', close + 1);
  }
  return text.length;
}
