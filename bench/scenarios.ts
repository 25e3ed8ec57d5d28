// Every scenario, in the order in which `npm run bench` runs them: what a message costs first, then what the runtime
// promises, then the way through HTTP and over WebSocket.

import { ask } from './scenarios/ask.ts';
import { channel } from './scenarios/channel.ts';
import { control } from './scenarios/control.ts';
import { density } from './scenarios/density.ts';
import { hangs } from './scenarios/hangs.ts';
import { hibernate } from './scenarios/hibernate.ts';
import { httpFunctions } from './scenarios/http-function.ts';
import { invoke } from './scenarios/invoke.ts';
import { isolation } from './scenarios/isolation.ts';
import { latency } from './scenarios/latency.ts';
import { mailbox } from './scenarios/mailbox.ts';
import { openapi } from './scenarios/openapi.ts';
import { overload } from './scenarios/overload.ts';
import { payload } from './scenarios/payload.ts';
import { recovery } from './scenarios/recovery.ts';
import { remote } from './scenarios/remote.ts';
import { remoteOversize } from './scenarios/remote-oversize.ts';
import { remotesIdle } from './scenarios/remotes-idle.ts';
import { remotesReconnect } from './scenarios/remotes-reconnect.ts';
import { rest } from './scenarios/rest.ts';
import { restBatch } from './scenarios/rest-batch.ts';
import { sizeCheck } from './scenarios/size-check.ts';
import { startup } from './scenarios/startup.ts';
import { store } from './scenarios/store.ts';
import { tell } from './scenarios/tell.ts';
import { threadHop } from './scenarios/thread-hop.ts';
import type { Scenario } from './support/scenario.ts';

export const SCENARIOS: readonly Scenario[] = [
  threadHop,
  ask,
  tell,
  latency,
  mailbox,
  payload,
  sizeCheck,
  control,
  density,
  overload,
  startup,
  isolation,
  store,
  recovery,
  hangs,
  hibernate,
  rest,
  restBatch,
  invoke,
  httpFunctions,
  remote,
  remotesIdle,
  remotesReconnect,
  remoteOversize,
  channel,
  openapi,
];
