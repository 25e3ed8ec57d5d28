// The hosts of a runtime, carried by nothing: each ends when it is told to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import type { Host, HostExit, HostFactory } from '../../lib/host/host.ts';
import { DEAD_HOSTS_KEPT, resolveLimits } from '../../lib/limits.ts';
import { Wheel } from '../../lib/protocol/wheel.ts';
import { Hosts } from '../../lib/supervisor/hosts.ts';
import type { HostSlot } from '../../lib/supervisor/host-slot.ts';
import { eventually, recordLog } from '../support/start-runtime.ts';

interface Stub extends Host {
  /** Nothing of it runs any more. */
  end(): void;
}

/** `ends`: when it is killed. */
function stub(hostId: string, ends: boolean, failure: Error | null): Stub {
  let exit: (how: HostExit) => void = () => undefined;
  let end: () => void = () => undefined;
  const exited = new Promise<HostExit>((resolve) => (exit = resolve));
  const ended = new Promise<void>((resolve) => (end = resolve));
  const ready = failure === null ? Promise.resolve() : Promise.reject(failure);
  ready.catch(() => undefined);
  const die = (how: HostExit): void => {
    exit(how);
    end();
  };
  if (failure !== null) die({ type: 'crashed', error: failure });
  const rest = { hasRoom: true, inFlight: 0, current: () => -1, lastStarted: () => 0, ping: () => 0 };
  const pulse = {
    beat: 0,
    progress: 0,
    utilization: 0,
    heapBytes: 0,
    externalBytes: 0,
    cpuMs: null,
    wantedCpuMs: null,
  };
  return {
    ...rest,
    hostId,
    ready,
    exited,
    ended,
    end,
    pulse: () => pulse,
    interrupt: () => null,
    kill: (cause: Error) => ends && die({ type: 'killed', error: cause }),
    cutOff: () => exit({ type: 'killed', error: new Error('cut off') }),
    close: async () => die({ type: 'closed', error: null }),
  } as unknown as Stub;
}

async function open(t: TestContext, ends = true) {
  const wheel = new Wheel();
  t.after(() => wheel.stop());
  const launched: Stub[] = [];
  const how: { failure: Error | null } = { failure: null };
  const factory: HostFactory = {
    launch: ({ hostId }) => {
      const host = stub(hostId, ends, how.failure);
      launched.push(host);
      return host;
    },
    close: async () => undefined,
  };
  const { log, lines } = recordLog();
  const listener = {
    onStarted: () => undefined,
    onStartFailed: () => undefined,
    onDied: () => undefined,
    onCrashed: () => undefined,
  };
  const inbound = { reply: () => undefined, emitted: () => undefined, dropped: () => undefined };
  const hosts = new Hosts({ factory, inbound, listener, limits: resolveLimits(), log, wheel });
  await hosts.open(1);
  const next = (): Promise<HostSlot> =>
    eventually(() => hosts.slots.find(({ status, killOrder }) => status === 'ready' && killOrder === null));
  return { hosts, how, launched, lines, next };
}

test('of the hosts that are gone the last ones are told, with how they ended', async (t) => {
  const { hosts, next } = await open(t);
  for (let n = 0; n <= DEAD_HOSTS_KEPT; n++) (await next()).kill('recycle', []);
  await next();
  assert.equal(hosts.detail('host-1'), undefined);
  const oldest = hosts.detail('host-2');
  assert.deepEqual([oldest?.status, oldest?.certificate?.reason], ['dead', 'recycle']);
  assert.equal(hosts.detail(`host-${DEAD_HOSTS_KEPT + 2}`)?.endedAt, null);
  assert.deepEqual(
    hosts.views().map(({ hostId }) => hostId),
    [`host-${DEAD_HOSTS_KEPT + 2}`],
  );
});

test('whatever a host is killed for, one that does not end in time is quarantined, replaced, and not waited for', async (t) => {
  const { hosts, launched, next } = await open(t, false);
  for (const reason of ['stuck', 'cancel_grace', 'handler_timeout', 'memory', 'start_timeout', 'recycle'] as const) {
    const slot = await next();
    slot.kill(reason, []);
    const { hostId } = slot.host;
    await eventually(() => slot.status === 'quarantined');
    const detail = hosts.detail(hostId);
    assert.deepEqual([detail?.certificate?.reason, detail?.certificate?.tookMs, hosts.isHeldUp], [reason, null, true]);
  }
  await next();
  assert.equal(hosts.views().filter(({ status }) => status === 'quarantined').length, 6);
  assert.equal(await hosts.close(), 0);
  for (const host of launched) host.end();
  await eventually(() => hosts.views().length === 0);
  assert.equal(hosts.isHeldUp, false);
  assert.ok((hosts.detail('host-1')?.certificate?.tookMs ?? 0) > 0);
});

test('without a thread for a new host there is no shared one, until there is', async (t) => {
  const { hosts, how, lines, next } = await open(t);
  how.failure = GreenroomError.of('runtime_unavailable', { message: 'No thread is free.' });
  (await next()).kill('stuck', []);
  await eventually(() => !hosts.hasShared);
  await eventually(() => lines.some(({ message }) => message === 'host did not start'));
  how.failure = null;
  await next();
  assert.equal(hosts.hasShared, true);
});
