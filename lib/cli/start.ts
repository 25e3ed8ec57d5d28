// `greenroom start`: Config → token → runtime → server → one ready line, then serve until a signal, drain and end.
// stdout carries the ready line only. What the server needs is loaded while the hosts start.

import { unknownVariables } from '../config.ts';
import type { Config, ConfigSources } from '../config.ts';
import { GreenroomError } from '../errors.ts';
import { describeError } from '../observe/log.ts';
import type { Logger } from '../observe/log.ts';
import type { CloseReport } from '../protocol/views.ts';
import { toSnakeCase } from '../protocol/views.ts';
import type { RuntimeOptions } from '../runtime.ts';
import type { EarlyListener } from '../server/early.ts';
import { resolveGateway } from './gateway.ts';
import { resolveHttp } from './http.ts';
import { leaveAtExit } from './leave.ts';
import { CannotStart, reportFatalWith, say } from './say.ts';
import { keepToken, readToken } from './token.ts';

/** On top of the drain and the grace of a cancel: for killing hosts and for the server, which may take 5 s of it. Then the process ends anyway. */
const CLOSE_SLACK_MS = 10_000;
/** The longest a timer of Node can run; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Resolves to the exit code, once the runtime has been told to end and has drained. Rejects with `CannotStart`. */
export async function start(
  config: Config,
  version: string,
  environment: ConfigSources['environment'],
): Promise<number> {
  const signals = takeSignals();
  const [{ createLog }, { createRuntime }] = await Promise.all([import('../observe/pino.ts'), import('../runtime.ts')]);
  const log = createLog({ level: config.logLevel });
  reportFatalWith((thrown) => log.error(describeError(thrown), 'the process ends: an error was not caught'));
  const ignoredVariables = unknownVariables(environment, config);
  if (ignoredVariables.length > 0)
    log.warn({ variables: ignoredVariables }, 'variables that are not options are ignored');
  const token = config.tokenFile === undefined ? keepToken(config.dataDir) : readToken(config.tokenFile);
  log.info({ token_file: token.file, is_new: token.isNew }, 'the bearer token is kept in a file');
  const gateway = config.gateway === null ? undefined : resolveGateway(config.gateway, environment);
  const http = resolveHttp(config.http, environment);

  const { bind } = config;
  const early = config.store === 'memory' ? undefined : await listenFirst(bind);
  const creating = createRuntime({ ...runtimeOptions(config), http, log }).catch(async (thrown: unknown) => {
    await early?.close();
    throw thrown;
  });
  const [runtime, { startServer }] = await Promise.all([creating, import('../server/index.ts')]);
  leaveAtExit(() => runtime.supervisor.hosts.isHeldUp);
  const served = { runtime, token: token.value, host: bind.host, port: bind.port, log, early };
  const server = await startServer({ ...served, ...(gateway && { gateway }) }).catch(async (thrown: unknown) => {
    await early?.close();
    await runtime.close({ deadlineMs: config.drainMs });
    throw cannotListen(bind, thrown);
  });

  // Before the ready line: whoever has read it may send a signal.
  const ending = signals.serving();
  const kinds = runtime.actors().map(({ kind }) => kind);
  const ready = {
    event: 'ready',
    url: server.url,
    runtime_id: runtime.runtimeId,
    pid: process.pid,
    token_file: token.file,
    version,
  };
  log.info({ url: server.url, runtime_id: runtime.runtimeId, hosts: config.hosts, actors: kinds }, 'ready');
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  if (kinds.includes('counter')) process.stderr.write(examples(server.url, token.file));

  // A signal, or a drain that somebody has asked for and that is over.
  const signal = await Promise.race([ending, runtime.closed.then(() => null)]);
  if (signal !== null) log.info({ signal, drain_ms: config.drainMs }, 'draining');
  endAnywayAfter(config.drainMs + config.limits.cancelGraceMs + CLOSE_SLACK_MS);
  // The runtime first: while it drains, its clients still read outcomes and /readyz says 503.
  const report = await runtime.close({ deadlineMs: config.drainMs });
  await server.close();
  logReport(log, report);
  return 0;
}

/** What a durable store holds may take a while to come back; until then somebody must say that the process lives. */
async function listenFirst(bind: Config['bind']): Promise<EarlyListener> {
  const { listenEarly } = await import('../server/early.ts');
  return listenEarly(bind).catch((thrown: unknown) => {
    throw cannotListen(bind, thrown);
  });
}

function runtimeOptions(config: Config): RuntimeOptions {
  const { actors, store, dataDir, hosts, limits, sources, functions, allowStdioSources, runtimeId, displayName } =
    config;
  return { actors, store, dataDir, hosts, limits, sources, functions, allowStdioSources, runtimeId, displayName };
}

/**
 * SIGTERM and SIGINT, from the beginning on. While it serves, the first one is told to whoever waits. One before that, or the second, ends the
 * process at once: nothing has been accepted, or somebody is tired of waiting. By `exit`, so that the processes of sources end as well.
 */
function takeSignals(): { readonly serving: () => Promise<NodeJS.Signals> } {
  let phase: 'starting' | 'serving' | 'draining' = 'starting';
  let tell: (signal: NodeJS.Signals) => void = () => undefined;
  const first = new Promise<NodeJS.Signals>((resolve) => (tell = resolve));
  const onSignal = (signal: NodeJS.Signals): void => {
    if (phase !== 'serving') {
      say(`${signal} while ${phase}: ended at once`);
      process.exit(1);
    }
    phase = 'draining';
    tell(signal);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return {
    serving: () => {
      phase = 'serving';
      return first;
    },
  };
}

function endAnywayAfter(ms: number): void {
  const timer = setTimeout(
    () => {
      say(`not stopped after ${ms} ms: ended at once`);
      process.exit(1);
    },
    Math.min(ms, MAX_TIMER_MS),
  );
  timer.unref();
}

function logReport(log: Logger, report: CloseReport): void {
  log.info(toSnakeCase(report) as Record<string, unknown>, 'stopped');
}

// --- words ---

const LISTEN_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EACCES: 'not permitted to use the port',
  EADDRNOTAVAIL: 'this machine does not have the address',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name cannot be looked up now',
};

function cannotListen({ host, port }: Config['bind'], thrown: unknown): CannotStart {
  if (thrown instanceof GreenroomError) return new CannotStart(thrown.message, { cause: thrown });
  const { error_code, error_message } = describeError(thrown);
  const problem = (error_code === undefined ? undefined : LISTEN_PROBLEMS[error_code]) ?? error_message;
  return new CannotStart(`cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}: ${problem}`, {
    cause: thrown,
  });
}

/** Three commands that work as pasted. The shell reads the token from its file, so that it is not printed here. */
function examples(url: string, tokenFile: string): string {
  const credential = `-H "Authorization: Bearer $(cat ${quote(tokenFile)})"`;
  const json = `-H 'Content-Type: application/json'`;
  return [
    `curl -sS ${quote(`${url}/v1/workers`)} ${credential} ${json} -d '{"kind":"counter","worker_id":"c1"}'`,
    `curl -sS ${quote(`${url}/v1/workers/c1/input`)} ${credential} ${json} -H 'Prefer: wait=5' -d '{"add":2}'`,
    `curl -sS ${quote(`${url}/v1/workers/c1/transcript`)} ${credential}`,
    '',
  ].join('\n');
}

function quote(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
