// What the route files share. A route parses, makes one call of the supervisor, and replies: nothing about workers
// is decided on this side of it.

import type { FastifyInstance } from 'fastify';
import type { Peers } from '../functions/peers.ts';
import type { Channels } from '../channels/channels.ts';
import type { Outside } from '../outside.ts';
import type { Logger } from '../observe/log.ts';
import type { Functions } from '../functions/registry.ts';
import type { CloseReport, RuntimeView } from '../protocol/views.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import type { BodyReader } from './body.ts';
import type { OpenCalls } from './open-calls.ts';
import type { Turns } from './turns.ts';
import type { Waits } from './waits.ts';
import type { Wakeup } from '../protocol/wakeup.ts';

export interface Edge {
  readonly supervisor: Supervisor;
  readonly functions: Functions;
  readonly peers: Peers;
  readonly channels: Channels;
  readonly outside: Outside;
  /** The view of the whole runtime. */
  readonly describe: () => Promise<RuntimeView>;
  /** Ends the runtime; resolves when it has. */
  readonly close: (deadlineMs: number | undefined) => Promise<CloseReport>;
  readonly log: Logger;
  readonly waits: Waits;
  readonly bodies: BodyReader;
  /** Calls of functions that are not answered yet. */
  readonly calls: OpenCalls;
  /** Of the batches that are being read. */
  readonly turns: Turns;
  /** Woken when the server begins to close. */
  readonly batches: Set<Wakeup>;
  /** True from the moment the server begins to close. */
  isClosing: boolean;
}

export type RegisterRoutes = (app: FastifyInstance, edge: Edge) => void;
