// Which host gets a worker: the one with the fewest, the earlier one if they are even.

export interface HostLoad {
  readonly workerCount: number;
  readonly maxWorkers: number;
}

/** Index of the host to use, -1 if all are full (or there is none). */
export function place(hosts: readonly HostLoad[]): number {
  let best = -1;
  for (let at = 0; at < hosts.length; at++) {
    const host = hosts[at] as HostLoad;
    if (host.workerCount >= host.maxWorkers) continue;
    if (best === -1 || host.workerCount < (hosts[best] as HostLoad).workerCount) best = at;
  }
  return best;
}
