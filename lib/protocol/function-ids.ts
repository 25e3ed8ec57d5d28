// How ids of functions and trigger types are made: segments joined by `::`, the first of which says whose it is.

/** Ids below it are the runtime's own. */
const ENGINE = 'engine::';

export function isEngineId(id: string): boolean {
  return id.startsWith(ENGINE);
}

/** The name under which the runtime's own functions are listed. */
export const ENGINE_NAME = 'engine';

/** What stands for the name of an owner that has none. */
export function firstSegment(id: string): string {
  return id.split('::', 1)[0] ?? id;
}
