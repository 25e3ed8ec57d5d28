// How a source is asked for: over REST, by an embedding Backend, and in the file of the configuration.

/** Not to be changed afterwards. */
export interface SourceRequest {
  /** Of the group that its functions belong to, and in front of their ids: 1 to 128 of `A-Z a-z 0-9 . _ : -`, without `::`, not `.` or `..`. */
  readonly name: string;
  /** `openapi` or `mcp`. */
  readonly type: string;
  /** Patterns of the names of the functions that are wanted, `*` for any text. Default all. */
  readonly include?: readonly string[] | undefined;
  /** And of those that are not. Default none. */
  readonly exclude?: readonly string[] | undefined;
  /** What its type alone knows. */
  readonly [setting: string]: unknown;
}

export interface SourceOptions {
  /** Aborting gives up with `cancelled`. */
  readonly signal?: AbortSignal | undefined;
}
