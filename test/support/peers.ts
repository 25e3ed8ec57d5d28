// A remote as the listings see it, without a process behind it.

import type { Peer } from '../../lib/functions/peers.ts';
import type { PeerSummary, PeerView } from '../../lib/protocol/views.ts';

const SUMMARY: Omit<PeerSummary, 'workerId'> = {
  origin: 'remote',
  kind: null,
  displayName: null,
  status: 'connected',
  createdAt: '2026-01-02T03:04:05.006Z',
  mailbox: { messages: 0, bytes: 0 },
  functions: 2,
  runtime: 'node',
  version: '1.0.0',
  connectedAt: '2026-01-02T03:04:05.006Z',
  inFlight: 0,
  disconnectReason: null,
};
const DETAILS = {
  description: 'A remote.',
  os: 'linux',
  pid: 7,
  isolation: null,
  address: '127.0.0.1',
  lateResults: 0,
  refused: [],
};

export function peerOf(workerId: string, given: Partial<PeerSummary> = {}): Peer & { leave(reason: string): void } {
  let summary: PeerSummary = { ...SUMMARY, workerId, ...given };
  return {
    workerId,
    summary: () => summary,
    view: (): PeerView => ({ ...summary, ...DETAILS }),
    leave: (disconnectReason) => (summary = { ...summary, status: 'disconnected', disconnectReason }),
  };
}
