// The channel scenario: a fresh process with a gateway, or with nothing but a socket server that passes messages on, between a process that
// writes and one that reads. Memory is the greatest that the system has counted for this process, after it against before it.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { answerRequests, forkPeer, processUrl } from '../support/child.ts';
import type { ChannelRef } from '../../lib/protocol/channel-ref.ts';
import { openGateway } from '../support/gateway.ts';
import { collectGarbage } from '../support/machine.ts';
import { cpuMsOf } from '../support/process.ts';
import type { EndRequest } from './channel-end.ts';

export interface ChannelRequest {
  readonly how: 'bare' | 'ours';
  readonly messages: number;
  readonly messageBytes: number;
}

export interface Piped {
  readonly seconds: number;
  readonly grownBytes: number;
  /** Of this process; null where the system does not say. */
  readonly cpuMs: number | null;
}

interface Pipe {
  readonly readUrl: string;
  readonly writeUrl: string;
  close(): Promise<void>;
}

const KiB = 1_024;
const MiB = 1_024 * KiB;
const WITHIN_MS = 300_000;
/** Of both pipes: what may wait to be sent to the reader. */
const UNSENT_BYTES = MiB;

async function measure({ how, messages, messageBytes }: ChannelRequest): Promise<Piped> {
  const pipe = how === 'ours' ? await openOurs() : await openBare();
  const [reader, writer] = [forkPeer(processUrl('channel-end')), forkPeer(processUrl('channel-end'))];
  const ask = (direction: EndRequest['direction'], url: string) => ({ direction, url, messages, messageBytes });
  try {
    collectGarbage();
    const beforeBytes = mostRssBytes();
    const cpuBefore = await cpuMsOf(process.pid);
    const startMs = performance.now();
    await Promise.all([
      reader.request(ask('read', pipe.readUrl), WITHIN_MS),
      writer.request(ask('write', pipe.writeUrl), WITHIN_MS),
    ]);
    const seconds = (performance.now() - startMs) / 1_000;
    const cpuAfter = await cpuMsOf(process.pid);
    const cpuMs = cpuBefore === null || cpuAfter === null ? null : cpuAfter - cpuBefore;
    return { seconds, grownBytes: mostRssBytes() - beforeBytes, cpuMs };
  } finally {
    await Promise.all([reader.close(), writer.close()]);
    await pipe.close();
  }
}

async function openOurs(): Promise<Pipe> {
  const gateway = await openGateway();
  const { reader, writer } = gateway.runtime.channel();
  const urlOf = ({ channel_id: id, access_key: key, direction }: ChannelRef): string =>
    `${gateway.address.url}/ws/channels/${id}?key=${key}&dir=${direction}`;
  return { readUrl: urlOf(reader), writeUrl: urlOf(writer), close: () => gateway.close() };
}

/** What one would write by hand: each message is sent on, and the writer waits while the reader does not keep up. */
async function openBare(): Promise<Pipe> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  const ends = new Map<string, WebSocket>();
  server.on('connection', (socket, request: IncomingMessage) => {
    ends.set(request.url ?? '', socket);
    const [reader, writer] = [ends.get('/read'), ends.get('/write')];
    if (reader !== undefined && writer !== undefined) pipe(writer, reader);
    else socket.pause();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `ws://127.0.0.1:${port}`;
  const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  return { readUrl: `${url}/read`, writeUrl: `${url}/write`, close };
}

function pipe(writer: WebSocket, reader: WebSocket): void {
  let unsent = 0;
  let isOver = false;
  const onSent = (): void => {
    unsent--;
    if (isOver && unsent === 0) reader.close(1_000);
    else if (writer.isPaused && reader.bufferedAmount < UNSENT_BYTES) writer.resume();
  };
  writer.on('message', (message: Buffer, isBinary: boolean) => {
    unsent++;
    reader.send(message, { binary: isBinary }, onSent);
    if (reader.bufferedAmount >= UNSENT_BYTES) writer.pause();
  });
  writer.on('close', () => {
    isOver = true;
    if (unsent === 0) reader.close(1_000);
  });
  for (const socket of [writer, reader]) socket.resume();
}

function mostRssBytes(): number {
  return process.resourceUsage().maxRSS * KiB;
}

answerRequests((request) => measure(request as ChannelRequest));
