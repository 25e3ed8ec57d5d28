// A type of sources without a network: each source is a list of functions that the test changes, fails and holds up as it likes.

import { GreenroomError } from '../../lib/errors.ts';
import { EncodedFormat } from '../../lib/functions/format.ts';
import type { FunctionCall, FunctionServer } from '../../lib/functions/function.ts';
import type {
  OpenSource,
  SourceDefinition,
  SourceEvents,
  SourceFunction,
  SourceHealth,
  SourceType,
  Unmapped,
} from '../../lib/sources/source.ts';

/** What lies behind a source, by the name of its definition. */
export class Place {
  /** Versions of functions by name: a function says its version when it is called. */
  functions: Record<string, number> = { one: 1, two: 1 };
  unmapped: Unmapped[] = [];
  title: string | null = 'A place';
  /** What a reading fails with. */
  failure: Error | null = null;
  /** While it is set, readings wait for it. */
  gate: Promise<void> | null = null;
  reads = 0;
  closes = 0;
  health: SourceHealth = { status: 'available', error: null };
  definition: SourceDefinition | null = null;
  events: SourceEvents | null = null;
  /** What `close` does. */
  onClose: () => Promise<void> = () => Promise.resolve();
  /** Calls of functions named `held` wait for it. */
  held: Promise<void> = Promise.resolve();
}

export class FakeType implements SourceType {
  readonly type = 'fake';
  readonly places = new Map<string, Place>();

  place(name: string): Place {
    const place = this.places.get(name) ?? new Place();
    this.places.set(name, place);
    return place;
  }

  open(definition: SourceDefinition, events: SourceEvents): OpenSource {
    const { settings, name, isFromOperator } = definition;
    if ('wrong' in settings)
      throw GreenroomError.of('invalid_request', { details: { issues: [{ path: 'wrong', message: 'unknown key' }] } });
    if ('command' in settings && !isFromOperator) throw GreenroomError.of('forbidden');
    const place = this.place(name);
    Object.assign(place, { definition, events });
    return {
      get health() {
        return place.health;
      },
      read: async () => {
        place.reads++;
        const { gate } = place;
        if (gate !== null) await gate;
        if (place.failure !== null) throw place.failure;
        const functions = Object.entries(place.functions).map(([id, version]) => fn(id, version, place));
        return { functions, unmapped: place.unmapped, title: place.title };
      },
      close: () => {
        place.closes++;
        return place.onClose();
      },
    };
  }
}

function fn(name: string, version: number, place: Place): SourceFunction {
  const server: FunctionServer = {
    serve: async (_fn, call: FunctionCall) => {
      if (name === 'held') await place.held;
      return JSON.stringify({ version, reads: place.reads, payload: JSON.parse(String(call.payload)) as unknown });
    },
  };
  const requestFormat = new EncodedFormat(JSON.stringify({ type: 'object', title: `${name} ${version}` }));
  return {
    name,
    description: `Does ${name}.`,
    requestFormat,
    responseFormat: null,
    server,
    fingerprint: `${name}@${version}`,
  };
}

/** A promise and what settles it. */
export function gate(): { readonly promise: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}
