// `engine::baggage::*`: the W3C baggage that came with the call. It travels with each call from caller to callee, so it can be read
// here, but not changed: a function has no way into the calls that its caller makes.

import * as v from 'valibot';
import { MAX_BAGGAGE_CHARS } from './bounds.ts';
import { engineFunction } from './engine-function.ts';
import type { EngineFunctions } from './engine-function.ts';

const NOTE = 'Baggage travels with a call: set it where the call is made. A function cannot change that of its caller.';

export const BAGGAGE_FUNCTIONS: EngineFunctions = {
  'engine::baggage::get': engineFunction(
    'Reads one entry of the baggage.',
    v.object({ key: v.string() }),
    ({ key }, call) => ({
      value: parseBaggage(call.baggage).get(key) ?? null,
    }),
  ),
  'engine::baggage::set': engineFunction(
    'Says that baggage cannot be set here.',
    v.object({ key: v.string(), value: v.string() }),
    () => ({ success: false, note: NOTE }),
  ),
  'engine::baggage::get_all': engineFunction('Reads the baggage.', v.object({}), (_, call) => ({
    baggage: Object.fromEntries(parseBaggage(call.baggage)),
  })),
};

/** `key=value;property,key=value`; entries that are none are left out. */
function parseBaggage(header = ''): Map<string, string> {
  const entries = new Map<string, string>();
  for (const member of header.slice(0, MAX_BAGGAGE_CHARS).split(',')) {
    const [pair = ''] = member.split(';', 1);
    const at = pair.indexOf('=');
    const key = pair.slice(0, at).trim();
    if (at > 0 && key !== '') entries.set(key, decoded(pair.slice(at + 1).trim()));
  }
  return entries;
}

/** A value that is not percent-encoded properly is taken as it is. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
