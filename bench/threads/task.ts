// The task of piscina and tinypool.

export default function echo(value: unknown): unknown {
  return value;
}
