// Chance with a seed: the same seed draws the same, though what it meets depends on the time.

export type Random = () => number;

/** Mulberry32: small, and the same everywhere. From 0 to 1, 1 not included. */
export function randomFrom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `least` to `most`. */
export function between(random: Random, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

export function oneOf<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

export function sampleOf<T>(random: Random, items: readonly T[], most: number): T[] {
  const rest = [...items];
  if (rest.length <= most) return rest;
  return Array.from({ length: most }, () => {
    const at = Math.floor(random() * rest.length);
    const taken = rest[at] as T;
    rest[at] = rest.at(-1) as T;
    rest.pop();
    return taken;
  });
}
