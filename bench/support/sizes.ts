// Sizes of questions that scenarios compare, up to the largest message that the runtime takes by default.

const KiB = 1_024;
const MiB = 1_024 * KiB;

const MAX_IN_FLIGHT = 1_024;
/** Bytes in flight, so that large questions do not measure the garbage collector of a full heap; one is always in flight. */
const MAX_BYTES_IN_FLIGHT = 8 * MiB;

export interface Size {
  readonly bytes: number;
  readonly name: string;
  readonly inFlight: number;
}

export const SIZES: readonly Size[] = [
  sizeOf(64, '64 B'),
  sizeOf(1 * KiB, '1 KiB'),
  sizeOf(16 * KiB, '16 KiB'),
  sizeOf(64 * KiB, '64 KiB'),
  sizeOf(1 * MiB, '1 MiB'),
  sizeOf(16 * MiB, '16 MiB'),
];

function sizeOf(bytes: number, name: string): Size {
  return { bytes, name, inFlight: Math.min(MAX_IN_FLIGHT, Math.ceil(MAX_BYTES_IN_FLIGHT / bytes)) };
}
