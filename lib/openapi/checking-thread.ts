// The thread that checks large bodies, and writes those that are not sent as they came. It can be killed at any time: between two bodies
// it holds nothing but schemas, which it is given again with each.

import { move, transferableSymbol, valueSymbol } from 'piscina';
import { decode } from '../protocol/payload.ts';
import { unpackText } from '../protocol/packed.ts';
import type { PackedText } from '../protocol/packed.ts';
import { checkedBody } from './bodies.ts';
import { MAX_CHECKING_STEPS, MAX_READY_SCHEMAS } from './bounds.ts';
import type { OperationBody } from './operation.ts';
import type { GivenParameters } from './parameters.ts';
import { outcomeOf } from './thread-outcome.ts';
import { PayloadSchema } from './validation.ts';
import type { WrittenBody } from './written-body.ts';

export interface CheckingTask {
  readonly requestFormat: PackedText;
  readonly body: OperationBody | null;
  readonly maxBytes: number;
  readonly parameters: GivenParameters;
  /** The body, as JSON. */
  readonly bytes: Uint8Array;
}

/** By their texts; the least recently used goes first. */
const schemas = new Map<string, PayloadSchema>();

/** A ThreadOutcome<WrittenBody | null>; null: it fits, and is sent as it came. */
export default async function check(task: CheckingTask): Promise<unknown> {
  const outcome = await outcomeOf(() => checkTask(task));
  if ('error' in outcome || outcome.result === null) return outcome;
  // The bytes of the chunks change hands, and are not copied.
  const buffers = outcome.result.chunks.flatMap((chunk) => (chunk instanceof Uint8Array ? [chunk.buffer] : []));
  return move({ [transferableSymbol]: buffers, [valueSymbol]: outcome });
}

function checkTask({ requestFormat, body, maxBytes, parameters, bytes }: CheckingTask): WrittenBody | null {
  const schema = schemaOf(unpackText(requestFormat));
  const value: unknown = decode(bytes);
  const written = checkedBody({ schema, body, maxBytes }, parameters, { bytes, value: () => value });
  return body?.kind === 'json' ? null : written;
}

function schemaOf(text: string): PayloadSchema {
  const schema = schemas.get(text) ?? new PayloadSchema(text, MAX_CHECKING_STEPS);
  schemas.delete(text);
  schemas.set(text, schema);
  for (const least of schemas.keys()) {
    if (schemas.size <= MAX_READY_SCHEMAS) break;
    schemas.delete(least);
  }
  return schema;
}
