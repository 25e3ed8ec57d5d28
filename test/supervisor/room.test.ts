import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RoomLines } from '../../lib/supervisor/room.ts';

const worker = {};
const other = {};

function listeners(names: string): { seen: string[]; of: Record<string, () => void> } {
  const seen: string[] = [];
  return { seen, of: Object.fromEntries([...names].map((name) => [name, () => void seen.push(name)])) };
}

test('who waits for a worker hears of its inputs only, who waits for bytes of all', () => {
  const { seen, of } = listeners('abc');
  const room = new RoomLines();
  room.join(of['a']!, worker);
  room.join(of['b']!, other);
  room.join(of['c']!, null);
  room.freed(worker);
  assert.deepEqual(seen, ['a', 'c']);
});

test('who stays keeps the place, who comes back goes to the end', () => {
  const { seen, of } = listeners('abc');
  const room = new RoomLines();
  for (const name of 'abc') room.join(of[name]!, worker);
  room.join(of['a']!, worker);
  room.freed(worker);
  room.leave(of['a']!);
  room.join(of['a']!, worker);
  room.freed(worker);
  assert.equal(seen.join(''), 'abcbca');
});

test('who changes the line stands in one only, and the lines are empty when all have left', () => {
  const { seen, of } = listeners('a');
  const room = new RoomLines();
  room.join(of['a']!, worker);
  room.join(of['a']!, null);
  room.freed(worker);
  assert.deepEqual(seen, ['a']);
  room.leave(of['a']!);
  room.leave(of['a']!);
  assert.equal(room.isEmpty, true);
});
