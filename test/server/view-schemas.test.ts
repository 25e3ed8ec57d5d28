// The schemas of what routes answer with, held to the types of the views. The assertions are made by tsc; the test exists so that a runner
// shows that this file was compiled.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenericSchema, InferOutput } from 'valibot';
import type * as views from '../../lib/protocol/views.ts';
import type * as schemas from '../../lib/server/view-schemas.ts';

type SnakeCase<Name extends string> = Name extends `${infer First}${infer Rest}`
  ? `${First extends Lowercase<First> ? First : `_${Lowercase<First>}`}${SnakeCase<Rest>}`
  : '';
/** As the functions at the end of views.ts make it. */
type Wire<View> = unknown extends View
  ? View
  : View extends readonly (infer Item)[]
    ? Wire<Item>[]
    : View extends object
      ? string extends keyof View
        ? View
        : { [Key in keyof View as Key extends string ? SnakeCase<Key> : never]: Wire<View[Key]> }
      : View;

type Fits<A, B> = [A] extends [B] ? ([B] extends [A] ? ([keyof A] extends [keyof B] ? true : false) : false) : false;
/** Compiles for `true` only. */
function expect<Holds extends true>(holds = true as Holds): void {
  assert.ok(holds);
}
type Of<Schema extends GenericSchema> = InferOutput<Schema>;

test('every view has the members that its schema says', () => {
  expect<Fits<Of<typeof schemas.WorkerSummary>, Wire<views.WorkerSummary>>>();
  expect<Fits<Of<typeof schemas.Worker>, Wire<views.WorkerView>>>();
  expect<Fits<Of<typeof schemas.PeerSummary>, Wire<views.PeerSummary>>>();
  expect<Fits<Of<typeof schemas.Peer>, Wire<views.PeerView>>>();
  expect<Fits<Of<typeof schemas.FunctionView>, Wire<views.FunctionView>>>();
  expect<Fits<Of<typeof schemas.SourceSummary>, Wire<views.SourceSummary>>>();
  expect<Fits<Of<typeof schemas.SourceView>, Wire<views.SourceView>>>();
  expect<Fits<Of<typeof schemas.SourcePreview>, Wire<views.SourcePreview>>>();
  expect<Fits<Of<typeof schemas.Receipt>, Wire<views.Receipt>>>();
  expect<Fits<Of<typeof schemas.InputResult>, Wire<views.InputResult>>>();
  expect<Fits<Of<typeof schemas.InputView>, Wire<views.InputView>>>();
  expect<Fits<Of<typeof schemas.DeadLetterSummary>, Wire<views.DeadLetterSummary>>>();
  expect<Fits<Of<typeof schemas.DeadLetterView>, Wire<views.DeadLetterView>>>();
  expect<Fits<Of<typeof schemas.CancelAck>, Wire<views.CancelAck>>>();
  expect<Fits<Of<typeof schemas.StopAck>, Wire<views.StopAck>>>();
  expect<Fits<Of<typeof schemas.TranscriptPage>, Wire<views.TranscriptPage>>>();
  expect<Fits<Of<typeof schemas.CloseReport>, Wire<views.CloseReport>>>();
  expect<Fits<Of<typeof schemas.ActorView>, Wire<views.ActorView>>>();
  expect<Fits<Of<typeof schemas.HostDetail>, Wire<views.HostDetail>>>();
  expect<Fits<Omit<Of<typeof schemas.RuntimeView>, 'limits'>, Omit<Wire<views.RuntimeView>, 'limits'>>>();
});
