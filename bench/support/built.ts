// Ids of the workers that a store is filled with: in the order of their numbers.

const ID_DIGITS = 7;

export function builtId(worker: number): string {
  return `worker-${String(worker).padStart(ID_DIGITS, '0')}`;
}
