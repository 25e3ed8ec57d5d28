// Which host gets a worker: the one with the fewest, the earlier one if they are even.

export interface HostLoad {
  readonly workers: number;
  readonly maxWorkers: number;
}

/** Index of the host to use, -1 if all are full (or there is none). */
export function place(hosts: readonly HostLoad[]): number {
  let best = -1;
  for (let at = 0; at < hosts.length; at++) {
    const host = hosts[at] as HostLoad;
    if (host.workers >= host.maxWorkers) continue;
    if (best === -1 || host.workers < (hosts[best] as HostLoad).workers) best = at;
  }
  return best;
}
