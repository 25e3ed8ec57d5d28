// Views are camelCase in process and snake_case on the wire: the same objects, by the two functions here.

/** Values below these keys belong to users or are snake_case already: their keys are left alone. */
const OPAQUE = new Set([
  'config',
  'output',
  'data',
  'details',
  'inputSchema',
  'configSchema',
  'outputSchema',
  'requestFormat',
  'responseFormat',
  'metadata',
  'payload',
  // References to channels, which have one spelling everywhere.
  'reader',
  'writer',
]);

/** A view with snake_case keys. */
export function toSnakeCase(view: unknown): unknown {
  return renameKeys(
    view,
    (key) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    (key) => OPAQUE.has(key),
  );
}

/** What came over the wire, with camelCase keys. */
export function toCamelCase(wire: unknown): unknown {
  const camel = (key: string) => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return renameKeys(wire, camel, (key) => OPAQUE.has(camel(key)));
}

function renameKeys(value: unknown, rename: (key: string) => string, isOpaque: (key: string) => boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => renameKeys(item, rename, isOpaque));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      rename(key),
      isOpaque(key) ? inner : renameKeys(inner, rename, isOpaque),
    ]),
  );
}
