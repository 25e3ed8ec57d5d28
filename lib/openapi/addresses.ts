// Addresses as they are compared: both ends of the thread need the same spelling, and the runtime's end is not to load the rest.

/** An http or https URL without its fragment; null for anything else, a path without a base included. */
export function absoluteUrl(reference: string, base: string | null): string | null {
  try {
    const url = base === null ? new URL(reference) : new URL(reference, base);
    url.hash = '';
    return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' ? url.href : null;
  } catch {
    // No URL at all, which is what the caller asked.
    return null;
  }
}
