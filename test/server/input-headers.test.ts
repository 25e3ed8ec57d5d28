// The headers that steer an input, as pure functions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_WAIT_MS } from '../../lib/limits.ts';
import { deliverOptionsOf, waitSecondsOf } from '../../lib/server/input-headers.ts';

const PREFER: [header: string | undefined, seconds: number | undefined][] = [
  [undefined, undefined],
  ['', undefined],
  ['wait=5', 5],
  ['WAIT=5', 5],
  ['wait = 5', 5],
  ['wait="5"', 5],
  ['wait=0', 0],
  ['wait=0.25', 0.25],
  ['respond-async, wait=5', 5],
  ['respond-async,wait=5;x=1', 5],
  ['wait=5, wait=6', 5],
  ['foo="a, wait=1", wait=2', 2],
  ['foo="\\", wait=1", wait=2', 2],
  ['foo; wait=1', undefined],
  ['wait', undefined],
  ['wait=', undefined],
  ['wait=-1', undefined],
  ['wait=1e3', undefined],
  ['wait=x, wait=6', undefined],
  ['waiting=5', undefined],
  ['foo="wait=5', undefined],
  ['wait=999999999999', MAX_WAIT_MS / 1000],
];

for (const [header, seconds] of PREFER) {
  test(`Prefer: ${header} waits ${seconds} seconds`, () => {
    assert.equal(waitSecondsOf(header), seconds);
  });
}

test('a deadline is taken in milliseconds', () => {
  assert.equal(deliverOptionsOf({ 'greenroom-deadline-ms': '1500' }).deadlineMs, 1_500);
});

test('a key is taken as it is', () => {
  const key = 'a'.repeat(255);
  assert.deepEqual(deliverOptionsOf({ 'idempotency-key': key }), { idempotencyKey: key });
  assert.deepEqual(deliverOptionsOf({}), {});
});

const INVALID: [name: string, value: string][] = [
  ['greenroom-deadline-ms', '0'],
  ['greenroom-deadline-ms', '-1'],
  ['greenroom-deadline-ms', '1.5'],
  ['greenroom-deadline-ms', 'soon'],
  ['greenroom-deadline-ms', ''],
  ['greenroom-deadline-ms', String(MAX_WAIT_MS + 1)],
  ['idempotency-key', ''],
  ['idempotency-key', 'a'.repeat(256)],
  ['idempotency-key', 'a\tb'],
  ['idempotency-key', 'é'],
];

for (const [name, value] of INVALID) {
  test(`${name}: ${JSON.stringify(value).slice(0, 20)} is refused, naming the header`, () => {
    assert.throws(
      () => deliverOptionsOf({ [name]: value }),
      (error: { code: string; details: { issues: { path: string }[] } }) =>
        error.code === 'invalid_request' && error.details.issues[0]?.path === name,
    );
  });
}
