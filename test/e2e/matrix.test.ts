// Every command in every status that a worker can be brought into, in process and over REST.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { WORKER_STATUSES } from '../../lib/protocol/views.ts';
import { codeOf, eventually, openGate } from '../support/start-runtime.ts';
import { TABLE, UNDISTURBED } from './matrix-table.ts';
import type { Result } from './matrix-table.ts';
import { bring, entriesOf, heldByGate, inputIds, openFace, restingStatus, STATUSES } from './scenes.ts';
import type { Face, Scene } from './scenes.ts';

/** How long a cancelled input may take to end while another one is held at the same worker. */
const CANCEL_MS = 500;

async function command(
  name: string,
  { worker, ...scene }: Scene,
): Promise<{ answer: string; sentId?: string | undefined }> {
  switch (name) {
    case 'input':
      return { answer: 'accepted', sentId: (await worker.tell({})).inputId };
    case 'cancel':
      return { answer: (await worker.cancel()).effect };
    case 'cancel of a waiting input': {
      const inputId = scene.waitingId ?? '';
      const { effect } = await worker.cancel({ inputId });
      // The record tells it: who asked has had the answer, and no receipt is kept.
      const isOver = async () =>
        (await entriesOf(worker)).some((entry) => entry.type === 'cancelled' && entry.inputId === inputId);
      const over = await codeOf(eventually(isOver, CANCEL_MS));
      return {
        answer: over === true ? 'ended before the running one' : `${effect}, but not over after ${CANCEL_MS} ms`,
      };
    }
    case 'cancel of a running input':
      return { answer: (await worker.cancel({ inputId: scene.runningId ?? '' })).effect };
    case 'cancel of an ended input': {
      const { effect, outcome } = await worker.cancel({ inputId: scene.endedId });
      return { answer: `${effect}, ${String(outcome)}` };
    }
    case 'cancel of an unknown input':
      await worker.cancel({ inputId: `${scene.endedId}0000` });
      return { answer: 'acknowledged' };
    case 'stop': {
      const ack = await worker.stop();
      if (scene.firstStop === null) return { answer: ack.status };
      assert.deepEqual(ack, await scene.firstStop);
      return { answer: 'the first acknowledgement' };
    }
    case 'restore':
      return { answer: (await worker.restore()).status };
    default:
      await worker.delete({ force: name === 'delete with force' });
      return { answer: 'deleted' };
  }
}

const STOPS: ReadonlySet<string> = new Set(['stop', 'delete with force']);

/** Sends the command while the worker is held in its status, then lets go and sees what comes of it. */
async function play(name: string, scene: Scene): Promise<Result> {
  let isAnswered = false;
  const answering = command(name, scene)
    .catch((error: unknown) => ({ answer: (error as { code: string }).code, sentId: undefined }))
    .finally(() => (isAnswered = true));
  // A stop may be answered only when nothing is held any more.
  const isStopping = async () => (await scene.worker.view()).status === 'stopping';
  await eventually(async () => isAnswered || (await isStopping().catch(() => isAnswered)));
  // What runs hears of a stop by itself, and must: its gate stays shut.
  if (!STOPS.has(name) || (scene.running !== null && scene.firstStop === null)) await answering;
  // The same for a cancel: an open gate would let the handler return before it has heard of it.
  if (isAnswered && (await answering).answer === 'aborting') await scene.running;
  scene.release();
  const { answer, sentId } = await answering;
  const running = await scene.running;
  const waiting = await scene.waiting;
  const sent =
    sentId === undefined ? undefined : await eventually(async () => (await scene.worker.input(sentId)).outcome);
  const status = await restingStatus(scene.worker);
  return { answer, status, ...(running && { running }), ...(waiting && { waiting }), ...(sent && { sent }) };
}

for (const name of ['embedded', 'REST'] as const) {
  test(`${name}: every command in every status does what the table says`, { timeout: 100_000 }, async (t) => {
    const face = await openFace(t, name);
    for (const [title, cells] of Object.entries(TABLE)) {
      for (const [at, cell] of cells.entries()) {
        const status = STATUSES[at];
        if (cell === null || status === undefined) continue;
        await t.test(`${title}, ${status} → ${cell.answer}`, async (t) => {
          const scene = await bring(t, face, status);
          const result = await play(title, scene);
          await scene.end();
          assert.deepEqual(result, { ...UNDISTURBED[status], ...cell });
        });
      }
    }
  });

  test(`${name}: a turn-based worker takes an input while it is idle and is busy, with status 409, while it runs`, async (t) => {
    const worker = await (await openFace(t, name)).create({ kind: 'turn' });
    const gate = `${name}-turn`;
    const running = worker.ask({ wait: gate, say: 1 });
    await eventually(async () => (await worker.view()).status === 'running');
    await assert.rejects(worker.tell({}), { code: 'worker_busy', status: 409 });
    await heldByGate(worker);
    openGate(gate);
    assert.equal(await running, 1);
    assert.equal(await worker.ask({ say: 2 }), 2);
  });

  test(`${name}: a stop is answered with the same acknowledgement for ever, until a restore`, async (t) => {
    const { worker } = await bring(t, await openFace(t, name), 'running');
    const [first, second] = await Promise.all([worker.stop(), worker.stop()]);
    const ack = { workerId: worker.workerId, status: 'stopped', drained: 0, cancelled: 2, refused: 0 };
    assert.deepEqual([first, second, await worker.stop()], [ack, ack, ack]);
    const sequence = (await worker.view()).lastSequence;
    await worker.stop();
    assert.equal((await worker.view()).lastSequence, sequence);
    await worker.restore();
    assert.deepEqual(await worker.stop(), { ...ack, cancelled: 0 });
  });

  test(`${name}: a restore of a failed worker gives it its restarts back`, async (t) => {
    const { worker } = await bring(t, await openFace(t, name), 'failed');
    await worker.restore();
    assert.equal(await codeOf(worker.ask({ exit: true })), 'host_lost');
    assert.equal(await restingStatus(worker), 'idle');
    assert.equal(await codeOf(worker.ask({ exit: true })), 'host_lost');
    assert.equal(await restingStatus(worker), 'failed');
  });

  test(`${name}: a worker that was deleted is found by no command, and its id is free`, async (t) => {
    const face = await openFace(t, name);
    const { worker } = await bring(t, face, 'stopped');
    await worker.delete();
    const commands = [
      worker.tell({}),
      worker.cancel(),
      worker.stop(),
      worker.restore(),
      worker.delete(),
      inputIds(worker),
    ];
    assert.deepEqual(
      await Promise.all(commands.map(codeOf)),
      commands.map(() => 'worker_not_found'),
    );
    const { workerId } = worker;
    assert.equal((await (await face.create({ kind: 'gate', workerId })).view()).status, 'idle');
  });

  test(`${name}: no status occurs in a whole life but the eight of the matrix`, async (t) => {
    const face = await openFace(t, name);
    assert.deepEqual(await lifeOf(t, face), [...WORKER_STATUSES].sort());
  });
}

/** The statuses that a worker is seen in, from one held scene to the next. */
async function lifeOf(t: TestContext, face: Face): Promise<string[]> {
  const seen = new Set<string>();
  for (const status of STATUSES) {
    const { worker, release, firstStop } = await bring(t, face, status);
    seen.add((await worker.view()).status);
    release();
    await firstStop;
    seen.add(await restingStatus(worker));
  }
  return [...seen].sort();
}
