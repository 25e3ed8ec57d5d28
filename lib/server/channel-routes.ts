// Channels over REST: made here, and a body of any size streamed through one in either direction. What a body may take is bounded by the
// channel, not by the bounds of messages: its buffer holds the sender back, and its idle limit ends what stands still.

import type { Readable, Writable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import * as v from 'valibot';
import type { ChannelDirection, ChannelRef } from '../protocol/channel-ref.ts';
import { readableOf, writableOf } from '../channels/streams.ts';
import { GreenroomError } from '../errors.ts';
import { bodyOf } from './body.ts';
import type { Edge, RegisterRoutes } from './edge.ts';
import { allowLongUpload } from './long-uploads.ts';
import { sendView } from './reply.ts';
import { queryOf, requireNoQuery } from './request.ts';

export const CreateChannelBody = v.strictObject({ buffer_messages: v.exactOptional(v.number()) });
export const KeyQuery = v.strictObject({ key: v.string() });

export const registerChannelRoutes: RegisterRoutes = (app, edge) => {
  const { channels } = edge;
  app.post('/v1/channels', (request, reply) => {
    requireNoQuery(request);
    const { buffer_messages: bufferMessages } = bodyOf(request, CreateChannelBody);
    // Nobody's: the client may be gone with this request. The idle limit bounds its life.
    const { reader, writer } = channels.create(null, { bufferMessages });
    return sendView(reply, 201, { channel: { channelId: reader.channel_id, reader, writer } });
  });

  app.register((transfers, _options, done) => {
    transfers.removeAllContentTypeParsers();
    // Whatever it is, it is bytes.
    transfers.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));

    transfers.route({
      method: 'PUT',
      url: '/v1/channels/:channelId',
      // Before a byte of the body is read.
      onRequest: (request, _reply, next) => {
        channels.check(refOf(request, 'write'));
        next();
      },
      handler: (request, reply) => upload(edge, request, reply),
    });

    transfers.route({
      method: 'GET',
      url: '/v1/channels/:channelId',
      // A look would take the end.
      exposeHeadRoute: false,
      handler: (request, reply) => {
        const end = channels.takeReader(refOf(request, 'read'));
        return reply
          .code(200)
          .header('content-type', 'application/octet-stream')
          .header('cache-control', 'no-store')
          .send(readableOf(end));
      },
    });
    done();
  });
};

/** Answers once the channel has all of it; its reader may still be reading. */
async function upload({ channels }: Edge, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const ref = refOf(request, 'write');
  const end = channels.takeWriter(ref);
  reply.raw.once('close', allowLongUpload(request.raw.socket));
  await writeAll(request.body as Readable | null | undefined, writableOf(end));
  const { bytes, messages } = end;
  return sendView(reply, 200, { channel: { channelId: ref.channel_id, bytes, messages } });
}

/** Unlike a pipeline it leaves the body as it is when the channel fails: the client is still to read the answer. */
function writeAll(body: Readable | null | undefined, writable: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    writable.once('finish', resolve).once('error', reject);
    if (body === null || body === undefined) {
      writable.end();
      return;
    }
    const cut = (): void => {
      if (body.readableEnded) return;
      writable.destroy();
      reject(GreenroomError.of('invalid_request', { message: 'The body ended early.' }));
    };
    // The `error` listener stays: a body that is cut short after its refusal must not crash the process.
    body.once('close', cut).on('error', cut).pipe(writable);
  });
}

/** The end that a request asks for. Throws `invalid_query`. */
function refOf<D extends ChannelDirection>(request: FastifyRequest, direction: D): ChannelRef<D> {
  const { channelId } = request.params as { channelId: string };
  return { channel_id: channelId, access_key: queryOf(request, KeyQuery).key, direction };
}
