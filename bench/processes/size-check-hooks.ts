// Module hooks: the payload module as it is, or without its size checks. Sizes are still needed for the accounting of
// mailboxes, credits and batches; without measuring they are the number of characters, which for the ASCII questions of
// this scenario is the same number, so that only the measuring and the comparing are gone.

import type { InitializeHook, LoadHook } from 'node:module';

const MEASURED = ['payloadBytes', 'requireSize'] as const;
const UNMEASURED = `
export function payloadBytes(payload) { return payload.length; }
export function requireSize(bytes) { return bytes; }
`;

let isChecked = true;

export const initialize: InitializeHook<{ checks: string | null }> = ({ checks }) => {
  isChecked = checks !== 'off';
};

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  if (isChecked || !url.endsWith('/lib/protocol/payload.js')) return loaded;
  let source = sourceText(loaded.source);
  for (const name of MEASURED) {
    const declaration = `export function ${name}(`;
    if (!source.includes(declaration)) throw new Error(`the payload module has no ${name}`);
    source = source.replace(declaration, `function unused_${name}(`);
  }
  return { ...loaded, source: source + UNMEASURED };
};

function sourceText(source: unknown): string {
  if (typeof source === 'string') return source;
  if (source instanceof Uint8Array) return Buffer.from(source).toString();
  throw new Error('the payload module has no source');
}
