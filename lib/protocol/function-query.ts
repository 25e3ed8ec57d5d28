// Which functions are asked for, by a Backend that embeds the runtime and by actors.

export interface FunctionQuery {
  /** Part of an id or of a description. */
  readonly search?: string | undefined;
  /** Id or name of who serves them. */
  readonly worker?: string | undefined;
  /** Default false: without the runtime's own and those whose metadata says `internal: true`. */
  readonly includeInternal?: boolean | undefined;
  /** 1 to 1,000; default 100. */
  readonly limit?: number | undefined;
  /** Only ids above this one: `nextAfter` of the page before. */
  readonly after?: string | undefined;
}
