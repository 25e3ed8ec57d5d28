// HTTP load from a process of its own. Wrk where it is installed, since it takes the least from the server that it shares
// the machine with; a process with undici otherwise. Either way every answer must be a 200 that carries its question.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { forkPeer, processUrl } from './child.ts';
import type { Effort } from './scenario.ts';

export interface HttpTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Ids of workers: each request is an input `{"add":1}` to the next one, and is answered with 202. Default: echoes at the URL. */
  readonly counters?: readonly string[];
}

export interface HttpResult {
  readonly answered: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface HttpLoad {
  readonly name: string;
  run(target: HttpTarget, seconds: number): Promise<HttpResult>;
  close(): Promise<void>;
}

export const CONNECTIONS = 64;
/** Of the scenarios that compare two routes. Wrk runs for whole seconds. */
export const HTTP_EFFORTS = {
  quick: { rounds: 3, warmUpSeconds: 1, seconds: 1 },
  full: { rounds: 9, warmUpSeconds: 2, seconds: 2 },
} as const satisfies Record<Effort, unknown>;
const SLACK_MS = 30_000;

const execute = promisify(execFile);

export async function openHttpLoad(): Promise<HttpLoad> {
  const hasWrk = await execute('wrk', ['-v']).then(
    () => true,
    // It ends with code 1 after its version; ENOENT is a string.
    (error: { code?: unknown }) => error.code !== 'ENOENT',
  );
  return hasWrk ? openWrk() : openUndici();
}

function openUndici(): HttpLoad {
  const peer = forkPeer(processUrl('http-load-undici'));
  return {
    name: 'undici',
    run: async (target, seconds) =>
      (await peer.request({ ...target, seconds }, seconds * 1_000 + SLACK_MS)) as HttpResult,
    close: () => peer.close(),
  };
}

async function openWrk(): Promise<HttpLoad> {
  const folder = await mkdtemp(join(tmpdir(), 'greenroom-wrk-'));
  return {
    name: 'wrk',
    run: async ({ url, headers, counters }, seconds) => {
      const script = join(folder, 'load.lua');
      const questions = counters === undefined ? ECHOES : countersScript(counters);
      await writeFile(script, wrkScript(headers, questions), { mode: 0o600 });
      const args = ['-t', '1', '-c', String(CONNECTIONS), '-d', `${seconds}s`, '-s', script, url];
      const { stdout } = await execute('wrk', args, { timeout: seconds * 1_000 + SLACK_MS });
      return readWrk(stdout);
    },
    close: () => rm(folder, { recursive: true }),
  };
}

interface WrkReport extends HttpResult {
  readonly wrong: number;
  readonly broken: number;
  readonly example: string;
}

function readWrk(stdout: string): HttpResult {
  const line = stdout.split('\n').findLast((candidate) => candidate.startsWith('{'));
  if (line === undefined) throw new Error(`wrk reported nothing: ${stdout}`);
  const { wrong, answered, broken, example, perSecond, p50Us, p99Us } = JSON.parse(line) as WrkReport;
  if (wrong > 0 || broken > 0)
    throw new Error(`${wrong} of ${answered} answers are wrong, ${broken} failed: ${example}`);
  if (answered === 0) throw new Error('nothing was answered');
  return { answered, perSecond, p50Us, p99Us };
}

/**
 * Wrk does not say which connection an answer came from, so an answer must carry a question that is open, and closes it.
 * What is open when the time is up was cut off by wrk and is not counted.
 */
const ECHOES = `
local open = {}
local id = 0

function request()
  id = id + 1
  open[id] = true
  return wrk.format(nil, nil, nil, '{"id":' .. id .. ',"text":"question ' .. id .. ': please answer it as it is"}')
end

function isRight(status, body)
  local asked, text = string.match(body, '"id":(%d+),"text":"question (%d+): please answer it as it is"')
  local number = tonumber(asked)
  if status ~= 200 or asked == nil or asked ~= text or not open[number] then return false end
  open[number] = nil
  return true
end
`;

/** What was acknowledged is proven by the totals of the counters, which are asked for afterwards. */
function countersScript(counters: readonly string[]): string {
  return `
local counters = {${counters.map((id) => JSON.stringify(id)).join(',')}}
local id = 0

function request()
  id = id + 1
  return wrk.format(nil, "/v1/workers/" .. counters[id % #counters + 1] .. "/input", nil, '{"add":1}')
end

function isRight(status, body)
  return status == 202 and string.find(body, '"ack":', 1, true) ~= nil
end
`;
}

/** `questions` defines what is sent and `isRight`. */
function wrkScript(headers: HttpTarget['headers'], questions: string): string {
  const lines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  );
  return `
wrk.method = "POST"
${lines.join('\n')}
local threads = {}
answered, wrong, example = 0, 0, ""
${questions}
function setup(thread) table.insert(threads, thread) end

function response(status, headers, body)
  if isRight(status, body) then
    answered = answered + 1
  else
    wrong = wrong + 1
    example = status .. " " .. string.gsub(string.sub(body, 1, 200), "[^%w %p]", " ")
  end
end

function done(summary, latency)
  local errors = summary.errors
  local thread = threads[1]
  io.write(string.format('{"wrong":%d,"answered":%d,"broken":%d,"example":"%s","perSecond":%.3f,"p50Us":%d,"p99Us":%d}\\n',
    thread:get("wrong"), thread:get("answered"),
    errors.connect + errors.read + errors.write + errors.timeout + errors.status,
    string.gsub(thread:get("example"), '["\\\\]', "'"),
    thread:get("answered") / (summary.duration / 1e6), latency:percentile(50), latency:percentile(99)))
end
`;
}
