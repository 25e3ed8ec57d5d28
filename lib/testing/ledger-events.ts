// How the workers of a simulation tell the checks what they do: they run in the same thread.

export interface LedgerEvents {
  /** A handler has been entered. Returns what is to be called when it ends. */
  began(workerId: string, no: number, attempt: number): () => void;
}

/** Set by the simulation that is open. */
export const ledgerEvents: LedgerEvents = { began: () => () => undefined };
