// Which IP addresses may be connected to. Only what is routed on the whole internet is public; all else has to be listed by the operator.
// Takes addresses as the system and the URL parser write them: no octal, hexadecimal or short forms, which are no addresses here.

import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = readonly [base: Address, prefixBits: number];

const IPV4_BITS = 32;
const IPV6_BITS = 128;
/** What `::ffff:0:0/96` has in front of the bits of the IPv4 address. */
const MAPPED_BITS = IPV6_BITS - IPV4_BITS;
/** All of IPv6 that has been given out to be routed; what lies outside of it is special or unassigned. */
const GLOBAL_UNICAST = network('2000::/3');
/** Public by its number, yet it is the machine itself that answers: Azure's channel to its virtual machines, with their secrets. */
const AZURE_HOST = network('168.63.129.16');
/** ISATAP: an IPv6 address of any network whose last half says which IPv4 address the packets go to. */
const ISATAP_PARTS: readonly string[] = ['0:5efe', '200:5efe'];

/** Whether an address may be connected to: it is public, or within one of the networks, which must have been checked by `isNetwork`. */
export function compileAddresses(networks: readonly string[]): (address: string) => boolean {
  const opened = networks.map(network);
  return (text) => {
    const address = parseAddress(text);
    return address !== null && (isPublic(address) || opened.some((one) => isWithin(address, one)));
  };
}

/** `127.0.0.0/8` and `::1`, the former in its IPv4-mapped form too. */
export function isLoopbackAddress(text: string): boolean {
  return parseAddress(text)?.range() === 'loopback';
}

/** `10.0.0.0/8`, `fd00::/8`, or one address. With bits behind the prefix it is refused: it is not clear what was meant. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== null;
}

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast' || isWithin(address, AZURE_HOST)) return false;
  if (!(address instanceof ipaddr.IPv6)) return true;
  const tunnel = address.parts.slice(4, 6).map((part) => part.toString(16));
  return isWithin(address, GLOBAL_UNICAST) && !ISATAP_PARTS.includes(tunnel.join(':'));
}

function isWithin(address: Address, [base, prefixBits]: Network): boolean {
  return address.kind() === base.kind() && address.match(base, prefixBits);
}

/** An IPv4-mapped address as the IPv4 address that it stands for. Null for anything with a zone, which means something on this machine only. */
function parseAddress(text: string): Address | null {
  const version = isIP(text);
  if (version === 0 || text.includes('%')) return null;
  if (version === 4) return ipaddr.IPv4.parse(text);
  const address = ipaddr.IPv6.parse(withoutDots(text));
  return address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** The library takes `::1.2.3.4` for an IPv4-mapped address, which it is not; in hexadecimal it does not. */
function withoutDots(text: string): string {
  return text.replace(/\d+(?:\.\d+){3}$/, (dotted) =>
    ipaddr.IPv4.parse(dotted)
      .toIPv4MappedAddress()
      .parts.slice(-2)
      .map((part) => part.toString(16))
      .join(':'),
  );
}

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (parsed === null) throw new Error('not a network');
  return parsed;
}

function parseNetwork(text: string): Network | null {
  const [, base = '', digits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(base);
  if (address === null) return null;
  const isIPv4 = address instanceof ipaddr.IPv4;
  const bits = isIPv4 ? IPV4_BITS : IPV6_BITS;
  const isMapped = isIPv4 && base.includes(':');
  const prefixBits = digits === undefined ? bits : Number(digits) - (isMapped ? MAPPED_BITS : 0);
  if (prefixBits < 0 || prefixBits > bits) return null;
  const first = (isIPv4 ? ipaddr.IPv4 : ipaddr.IPv6).networkAddressFromCIDR(`${address.toString()}/${prefixBits}`);
  return first.toString() === address.toString() ? [address, prefixBits] : null;
}
