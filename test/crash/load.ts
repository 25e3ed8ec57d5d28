// One load process: clients that work at the same time, through crashes and restarts, until the driver ends it.
// `load URL TOKEN_FILE FOLDER NUMBER SEED`; the driver says `rest` and `resume`, and is told `resting`.

import { randomFrom } from '../support/random.ts';
import { alarm, batch, flood, parent, reader, single, volatile } from './clients.ts';
import { Desk } from './desk.ts';
import { lives } from './lives.ts';

const SINGLES = 8;

const [url = '', tokenFile = '', heard = '', number = '0', seed = '0'] = process.argv.slice(2);
const desk = new Desk({
  url,
  tokenFile,
  heard,
  process: Number(number),
  random: randomFrom(Number(seed) + Number(number)),
});

process.on('message', (message) => {
  if (message === 'resume') desk.resume();
  else
    desk.rest().then(
      () => process.send?.('resting'),
      (error: unknown) => desk.complain(error),
    );
});
// Without a driver there is nothing to load; it may have gone before we could listen.
process.on('disconnect', () => process.exit());
if (!process.connected) process.exit();

const works = [
  ...Array.from({ length: SINGLES }, () => () => single(desk)),
  () => batch(desk),
  () => parent(desk),
  () => alarm(desk),
  () => volatile(desk),
  lives(desk),
  reader(desk),
  ...(number === '0' ? [() => flood(desk)] : []),
];
await desk.back();
await Promise.all(works.map((work) => desk.keepAt(work)));
