// Hangs in the way that it is told to, on a thread that it shares; or answers.

import { pbkdf2Sync } from 'node:crypto';
import * as v from 'valibot';
import { defineActor } from '../../lib/actor.ts';

export const JS_HANGS = ['endless loop', 'regular expression', 'Atomics.wait', 'JSON.stringify'] as const;
export type JsHang = (typeof JS_HANGS)[number];

const ROWS = 500_000;

function hang(how: JsHang): never {
  const rows = how === 'JSON.stringify' ? Array.from({ length: ROWS }, (_, at) => ({ at, name: `row ${at}` })) : [];
  for (;;) {
    if (how === 'regular expression') /^(a+)+$/.test(`${'a'.repeat(60)}b`);
    if (how === 'Atomics.wait') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    if (how === 'JSON.stringify') JSON.stringify(rows);
  }
}

export default defineActor({
  kind: 'hangs',
  input: v.union([
    v.strictObject({ answer: v.number() }),
    v.strictObject({ hang: v.picklist(JS_HANGS) }),
    v.strictObject({ nativeRounds: v.number() }),
  ]),
  receive: (input) => {
    if ('hang' in input) hang(input.hang);
    if ('nativeRounds' in input) return pbkdf2Sync('password', 'salt', input.nativeRounds, 64, 'sha512').length;
    return input.answer;
  },
});
