import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Peers } from '../../lib/functions/peers.ts';
import { LOST_PEERS_KEPT } from '../../lib/limits.ts';
import { peerOf } from '../support/peers.ts';

const idsOf = (peers: Peers, after?: string): string[] => peers.summaries(after).map(({ workerId }) => workerId);

describe('peers', () => {
  test('are listed ascending by id, live and lost ones, and from an id on', () => {
    const peers = new Peers();
    const [a, b, c] = ['a', 'b', 'c'].map((id) => peerOf(id)) as [ReturnType<typeof peerOf>, never, never];
    for (const peer of [c, a, b]) peers.add(peer);
    a.leave('closed');
    peers.remove(a);
    assert.deepEqual(idsOf(peers), ['a', 'b', 'c']);
    assert.deepEqual(idsOf(peers, 'a'), ['b', 'c']);
    assert.deepEqual(idsOf(peers, 'c'), []);
    const [lost] = peers.summaries();
    assert.deepEqual([lost?.status, lost?.disconnectReason], ['disconnected', 'closed']);
    assert.deepEqual(lost, a.summary());
    assert.deepEqual([peers.size, peers.remotes], [2, 2]);
  });

  test('that come back are shown once, as they are now', () => {
    const peers = new Peers();
    const before = peerOf('a');
    peers.add(before);
    before.leave('lost');
    peers.remove(before);
    peers.add(peerOf('a', { functions: 9 }));
    assert.deepEqual(
      peers.summaries().map(({ status, functions }) => [status, functions]),
      [['connected', 9]],
    );
    assert.equal(peers.view('a')?.functions, 9);
    peers.remove(before);
    assert.equal(peers.view('a')?.status, 'connected');
  });

  test('that have gone are kept up to a bound, the newest', () => {
    const peers = new Peers();
    for (let n = 0; n <= LOST_PEERS_KEPT; n++) {
      const peer = peerOf(`p${n}`);
      peers.add(peer);
      peers.remove(peer);
    }
    assert.deepEqual([peers.has('p0'), peers.has('p1'), idsOf(peers).length], [false, true, LOST_PEERS_KEPT]);
  });

  test('take no command', () => {
    const peers = new Peers();
    peers.add(peerOf('a'));
    assert.throws(() => peers.refuseOperation('a'), { code: 'unsupported_operation', status: 409 });
    peers.refuseOperation('b');
  });
});
