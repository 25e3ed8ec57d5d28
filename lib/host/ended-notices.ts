// How a worker is told that one it watches has ended: by an input of one form, told from all others by a reserved key, which its host gives
// to `ended` instead of `receive`. Only the runtime may send one: from anybody else it is refused, whatever the actor's schema accepts.

import * as v from 'valibot';
import type { ActorContext, ActorDefinition } from '../actor.ts';
import type { EndedEvent } from '../protocol/ended-event.ts';
import type { Payload } from '../protocol/payload.ts';
import { checked } from './functions.ts';

/** The key that makes an object a notice; its value is the event. */
const ENDED = 'greenroom:ended';

export function encodeEnded(event: EndedEvent): Payload {
  return JSON.stringify({ [ENDED]: event });
}

/** Of a class: whatever an actor's own schema makes of an input, it is none. */
class Notice {
  readonly event: EndedEvent;

  constructor(event: EndedEvent) {
    this.event = event;
  }
}

const noticeSchema = v.pipe(
  v.unknown(),
  v.transform((notice) => new Notice((notice as Record<string, EndedEvent>)[ENDED] as EndedEvent)),
);
const noNotice = v.custom<unknown>(() => false, `${ENDED} is the runtime's`);

function isNotice(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, ENDED);
}

/** The definition as it is run: `receive` takes notices too. One without `ended` is as it was. */
export function withEnded(definition: ActorDefinition): ActorDefinition {
  const { ended, output, ...rest } = definition;
  if (ended === undefined) return definition;
  const input = v.lazy((value) => (isNotice(value) ? noticeSchema : definition.input));
  const receive = (value: unknown, ctx: ActorContext): unknown =>
    value instanceof Notice ? ended(value.event, ctx) : checked(output, definition.receive(value, ctx));
  // Without the output schema: it holds for what `receive` returns.
  return { ...rest, input, receive };
}

/** What is accepted from anybody but the runtime. */
export function withoutNotices(definition: ActorDefinition): ActorDefinition {
  if (definition.ended === undefined) return definition;
  return { ...definition, input: v.lazy((value) => (isNotice(value) ? noNotice : definition.input)) };
}
