// What workers of a soak have to do all the time: be asked and told, set timers, ask each other, have children, be stopped, restored,
// cancelled and deleted. Several lanes do one after the other, each with a short pause in between.

import { setTimeout as wait } from 'node:timers/promises';
import { between, oneOf } from '../support/random.ts';
import type { WorkInput, Worked } from './work.ts';
import { ASK_MS, COMMAND_MS } from './scene.ts';
import type { Place, Scene } from './scene.ts';

/** Between two things that a lane does. */
const MAX_PAUSE_MS = 20;
const MAX_BURST = 16;
/** Children that there may be; then the oldest goes. */
const MAX_CHILDREN = 64;
/** Inputs of workers take this long at most. */
const MAX_WORK_MS = 30;

type Deed = (scene: Scene, place: Place) => Promise<void>;

/** Each as often as its weight says. */
const DEEDS: readonly (readonly [weight: number, deed: Deed])[] = [
  [40, (scene, place) => ask(scene, place, 'ask', { op: 'work', no: ++place.no, takesMs: workMs(scene) })],
  [20, tellSome],
  [8, askMany],
  [
    8,
    (scene, place) => ask(scene, place, 'later', { op: 'later', no: ++place.no, ms: between(scene.random, 1, 3_000) }),
  ],
  [6, (scene, place) => ask(scene, place, 'ask another', another(scene, place))],
  [2, (scene, place) => ask(scene, place, 'beat', { op: 'beat', no: ++place.no, ms: between(scene.random, 200, 800) })],
  [4, (scene, place) => ask(scene, place, 'still', { op: 'still', no: ++place.no })],
  [3, (scene, place) => ask(scene, place, 'fail', { op: 'fail', no: ++place.no })],
  [2, spawn],
  [2, cancel],
  [2, stopAndRestore],
  [3, replace],
];
const TOTAL_WEIGHT = DEEDS.reduce((sum, [weight]) => sum + weight, 0);

/** One lane, until the scene is over. */
export async function runLane(scene: Scene): Promise<void> {
  while (!scene.isOver()) {
    const place = oneOf(scene.random, scene.places);
    await drawDeed(scene)(scene, place);
    await wait(between(scene.random, 0, MAX_PAUSE_MS));
  }
}

function drawDeed({ random }: Scene): Deed {
  let left = random() * TOTAL_WEIGHT;
  for (const [weight, deed] of DEEDS) if ((left -= weight) < 0) return deed;
  return tellSome;
}

function workMs({ random }: Scene): number {
  return random() < 0.5 ? 0 : between(random, 1, MAX_WORK_MS);
}

async function ask(scene: Scene, place: Place, what: string, input: WorkInput & { no: number }): Promise<void> {
  const { book, isDurable } = scene;
  const { handle } = place;
  const mayBeExtra = input.op === 'later' && !isDurable;
  if (mayBeExtra) place.extraTimers++;
  const answer = await book.settle(what, ASK_MS, handle.ask(input, { timeoutMs: ASK_MS }));
  if (place.handle !== handle || answer === undefined) return;
  if (mayBeExtra) place.extraTimers--;
  book.answered(handle.workerId, input.no, answer as Worked, place.extraTimers);
}

async function askMany(scene: Scene, place: Place): Promise<void> {
  const many = Array.from({ length: between(scene.random, 2, MAX_BURST) }, () =>
    ask(scene, place, 'ask many', { op: 'work', no: ++place.no }),
  );
  await Promise.all(many);
}

async function tellSome(scene: Scene, place: Place): Promise<void> {
  const { book, random } = scene;
  const { handle } = place;
  const tells = Array.from({ length: between(random, 1, MAX_BURST) }, async () => {
    const hasDeadline = random() < 0.2;
    const told = handle.tell(
      { op: 'work', no: ++place.no, takesMs: workMs(scene) },
      hasDeadline ? { deadlineMs: between(random, 1, 500) } : {},
    );
    const receipt = await book.settle('tell', ASK_MS, told);
    if (receipt !== undefined) book.told(handle, receipt);
  });
  await Promise.all(tells);
}

function another(scene: Scene, place: Place): WorkInput & { no: number } {
  const { workerId } = oneOf(scene.random, scene.places).handle;
  return { op: 'ask', no: ++place.no, worker: workerId };
}

async function spawn(scene: Scene, place: Place): Promise<void> {
  const worker = scene.nextId('child');
  scene.children.add(worker);
  await ask(scene, place, 'spawn', { op: 'spawn', no: ++place.no, kind: 'soaked', worker });
  const [oldest] = scene.children;
  if (scene.children.size <= MAX_CHILDREN || oldest === undefined) return;
  scene.children.delete(oldest);
  await scene.book.settle('delete child', COMMAND_MS, scene.runtime.supervisor.delete(oldest, { force: true }));
}

async function cancel({ book }: Scene, place: Place): Promise<void> {
  await book.settle('cancel', ASK_MS, place.handle.cancel({ reason: 'soak' }));
}

async function stopAndRestore({ book }: Scene, place: Place): Promise<void> {
  const { handle } = place;
  await book.settle('stop', COMMAND_MS, handle.stop());
  await book.settle('restore', COMMAND_MS, handle.restore());
}

/** Deletes a worker with all that it has created, and puts a new one in its place. */
async function replace(scene: Scene, place: Place): Promise<void> {
  const { book, runtime } = scene;
  const { workerId } = place.handle;
  await book.settle('delete', COMMAND_MS, place.handle.delete({ force: true }));
  // Somebody else may have been quicker.
  if (place.handle.workerId !== workerId) return;
  const id = scene.nextId(place.kind);
  const created = await book.settle('create', COMMAND_MS, runtime.create({ kind: place.kind, workerId: id }));
  if (created === undefined) return;
  if (place.handle.workerId !== workerId) {
    await book.settle('delete', COMMAND_MS, created.delete({ force: true }));
    return;
  }
  place.handle = created;
  place.no = 0;
  place.extraTimers = 0;
}
