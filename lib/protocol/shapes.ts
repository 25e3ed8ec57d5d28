// The types that an actor's definition lends to those who command its workers: `runtime.worker<typeof counter>('c1')`,
// and the same with the client. Types only.

import type { GenericSchema, InferInput, InferOutput } from 'valibot';

/** The part of an actor's definition that its callers need; every `defineActor` result fits. */
export interface ActorShape {
  readonly kind: string;
  readonly config?: GenericSchema;
  readonly input: GenericSchema;
  readonly output?: GenericSchema;
}

/** What `create` takes as config. */
export type ActorConfig<Actor extends ActorShape> = InferInput<NonNullable<Actor['config']>>;
/** What `ask` and `tell` take. */
export type ActorInput<Actor extends ActorShape> = InferInput<Actor['input']>;
/** What `ask` resolves to. */
export type ActorOutput<Actor extends ActorShape> = InferOutput<NonNullable<Actor['output']>>;
