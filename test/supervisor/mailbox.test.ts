// The mailbox against a plain array that does the same slowly, and its bounds at the limit and one past it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { MailboxLimits } from '../../lib/limits.ts';
import { Mailbox } from '../../lib/supervisor/mailbox.ts';
import type { Link } from '../../lib/supervisor/mailbox.ts';
import { seeded } from '../support/seeded.ts';

interface Message extends Link<Message> {
  readonly id: number;
}

const messageOf = (id: number, bytes = 1): Message => ({ id, bytes, previous: null, next: null });
const idsOf = (messages: Iterable<Message>): number[] => Array.from(messages, ({ id }) => id);

/** A mailbox with as many messages of one byte, of which the first `lent` were lent. */
function filled(limits: MailboxLimits, count: number, lent = 0): { mailbox: Mailbox<Message>; messages: Message[] } {
  const mailbox = new Mailbox<Message>(limits);
  const messages = Array.from({ length: count }, (_, id) => messageOf(id));
  for (const message of messages) mailbox.push(message);
  for (let n = 0; n < lent; n++) mailbox.lend();
  return { mailbox, messages };
}

/** All that can be seen of a mailbox. */
function look(mailbox: Mailbox<Message>): Record<string, unknown> {
  const { size, lent, lentBytes, messages, bytes, first, isTurnBased } = mailbox;
  const lines = { lentIds: idsOf(mailbox.lentMessages()), waitingIds: idsOf(mailbox.waitingMessages()) };
  return { size, lent, lentBytes, messages, bytes, firstId: first?.id ?? null, isTurnBased, ...lines };
}

// --- the model ---

class Model {
  readonly limits: MailboxLimits;
  line: Message[] = [];
  lent = 0;
  nextId = 0;

  constructor(limits: MailboxLimits) {
    this.limits = limits;
  }

  /** Once the first message is lent it is running, and no longer waits. */
  get waiting(): Message[] {
    return this.line.slice(this.lent > 0 ? 1 : 0);
  }

  hasRoom(bytes: number): boolean {
    if (this.line.length === 0) return true;
    return this.waiting.length + 1 <= this.limits.capacity && total(this.waiting) + bytes <= this.limits.maxBytes;
  }

  look(): Record<string, unknown> {
    return {
      size: this.line.length,
      lent: this.lent,
      lentBytes: total(this.line.slice(0, this.lent)),
      messages: this.waiting.length,
      bytes: total(this.waiting),
      firstId: this.line[0]?.id ?? null,
      isTurnBased: this.limits.capacity === 0,
      lentIds: idsOf(this.line.slice(0, this.lent)),
      waitingIds: idsOf(this.line.slice(this.lent)),
    };
  }
}

const total = (messages: readonly Message[]): number => messages.reduce((sum, { bytes }) => sum + bytes, 0);

type Command = fc.Command<Model, Mailbox<Message>>;

function command(name: string, run: (model: Model, mailbox: Mailbox<Message>) => void): Command {
  return {
    check: () => true,
    run: (model, mailbox) => {
      run(model, mailbox);
      assert.deepEqual(look(mailbox), model.look());
    },
    toString: () => name,
  };
}

const push = (bytes: number): Command =>
  command(`push(${bytes})`, (model, mailbox) => {
    assert.equal(mailbox.hasRoom(bytes), model.hasRoom(bytes), 'hasRoom');
    if (!model.hasRoom(bytes)) return;
    const message = messageOf(model.nextId++, bytes);
    model.line.push(message);
    mailbox.push(message);
  });

const lend = (): Command =>
  command('lend', (model, mailbox) => {
    const expected = model.line[model.lent] ?? null;
    if (expected !== null) model.lent++;
    assert.equal(mailbox.lend(), expected);
  });

const recall = (): Command =>
  command('recall', (model, mailbox) => {
    model.lent = 0;
    mailbox.recall();
  });

/** Removes a message somewhere in the line: an outcome if it was lent, a cancel if it waits. */
const remove = (where: number): Command =>
  command(`remove(${where})`, (model, mailbox) => {
    if (model.line.length === 0) return;
    const at = where % model.line.length;
    const wasLent = at < model.lent;
    const [message] = model.line.splice(at, 1);
    if (wasLent) model.lent--;
    mailbox.remove(message as Message, wasLent);
    assert.deepEqual([message?.previous, message?.next], [null, null]);
  });

test('a mailbox does what an array would do', (t) => {
  const limits = fc.record({ capacity: fc.integer({ min: 0, max: 6 }), maxBytes: fc.integer({ min: 1, max: 40 }) });
  const commands = fc.commands(
    [
      fc.integer({ min: 0, max: 16 }).map(push),
      fc.integer({ min: 0, max: 16 }).map(push),
      fc.constant(lend()),
      fc.constant(recall()),
      fc.nat({ max: 20 }).map(remove),
    ],
    { maxCommands: 60 },
  );
  const property = fc.property(limits, commands, (bounds, steps) =>
    fc.modelRun(() => ({ model: new Model(bounds), real: new Mailbox<Message>(bounds) }), steps),
  );
  fc.assert(property, seeded(t, 500));
});

describe('a mailbox', () => {
  const small = { capacity: 3, maxBytes: 10 };

  test('of capacity 3 has room for the third waiting message and none for the fourth', () => {
    assert.equal(filled(small, 2).mailbox.hasRoom(1), true);
    assert.equal(filled(small, 3).mailbox.hasRoom(1), false);
  });

  test('does not count the running message: three more may wait behind it', () => {
    assert.equal(filled(small, 3, 1).mailbox.hasRoom(1), true);
    assert.equal(filled(small, 4, 1).mailbox.hasRoom(1), false);
  });

  test('counts what was lent ahead of its turn as waiting', () => {
    assert.equal(filled(small, 4, 4).mailbox.hasRoom(1), false);
    assert.deepEqual(look(filled(small, 4, 2).mailbox), {
      size: 4,
      lent: 2,
      lentBytes: 2,
      messages: 3,
      bytes: 3,
      firstId: 0,
      isTurnBased: false,
      lentIds: [0, 1],
      waitingIds: [2, 3],
    });
  });

  test('has room for a message that reaches its byte bound, and none for one byte more', () => {
    const { mailbox } = filled(small, 2);
    assert.deepEqual([mailbox.hasRoom(8), mailbox.hasRoom(9)], [true, false]);
  });

  test('does not count the bytes of the running message', () => {
    const mailbox = new Mailbox<Message>(small);
    mailbox.push(messageOf(0, 10));
    assert.equal(mailbox.hasRoom(1), false);
    mailbox.lend();
    assert.deepEqual([mailbox.hasRoom(10), mailbox.hasRoom(11)], [true, false]);
  });

  test('takes one message of any size while it is empty', () => {
    assert.equal(new Mailbox<Message>(small).hasRoom(Number.MAX_SAFE_INTEGER), true);
  });

  test('of capacity 0 takes one message, and the next one only when that is gone', () => {
    const mailbox = new Mailbox<Message>({ capacity: 0, maxBytes: 10 });
    const message = messageOf(0);
    const room = [mailbox.hasRoom(1)];
    mailbox.push(message);
    room.push(mailbox.hasRoom(0));
    mailbox.lend();
    room.push(mailbox.hasRoom(0));
    mailbox.remove(message, true);
    room.push(mailbox.hasRoom(1));
    assert.deepEqual([mailbox.isTurnBased, room], [true, [true, false, false, true]]);
  });

  test('lends what was recalled again, first to last', () => {
    const { mailbox } = filled(small, 3, 2);
    mailbox.recall();
    assert.deepEqual([mailbox.lend()?.id, mailbox.lend()?.id, mailbox.lend()?.id, mailbox.lend()], [0, 1, 2, null]);
  });

  test('lends a message that arrives when all others were lent', () => {
    const { mailbox } = filled(small, 2, 2);
    assert.equal(mailbox.lend(), null);
    mailbox.push(messageOf(7));
    assert.equal(mailbox.lend()?.id, 7);
  });

  test('stays whole when a walk over its lines removes each message it comes to', () => {
    const { mailbox } = filled({ capacity: 10, maxBytes: 10 }, 6, 3);
    const seen: number[] = [];
    for (const message of mailbox.waitingMessages()) {
      seen.push(message.id);
      mailbox.remove(message, false);
    }
    for (const message of mailbox.lentMessages()) {
      seen.push(message.id);
      mailbox.remove(message, true);
    }
    assert.deepEqual(seen, [3, 4, 5, 0, 1, 2]);
    assert.deepEqual(look(mailbox), new Model({ capacity: 10, maxBytes: 10 }).look());
  });
});
