// Hosts over HTTP.

import type { HostDetail, HostView } from '../protocol/views.ts';
import { noun } from './answers.ts';
import type { CallOptions } from './options.ts';
import type { Transport } from './transport.ts';

export async function listHosts(transport: Transport, options: CallOptions): Promise<HostView[]> {
  return noun(await transport.request({ method: 'GET', path: '/v1/hosts' }, options), 'hosts');
}

export async function viewHost(transport: Transport, hostId: string, options: CallOptions): Promise<HostDetail> {
  return noun(await transport.request({ method: 'GET', path: pathOf(hostId) }, options), 'host');
}

export async function recycleHost(transport: Transport, hostId: string, options: CallOptions): Promise<HostDetail> {
  const path = `${pathOf(hostId)}/recycle`;
  return noun(await transport.request({ method: 'POST', path }, options, false), 'host');
}

function pathOf(hostId: string): string {
  return `/v1/hosts/${encodeURIComponent(hostId)}`;
}
