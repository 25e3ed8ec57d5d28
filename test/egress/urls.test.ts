// Every way to write a URL that we know of, and where it may lead: for anybody, and for a registration that may reach this machine.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Guard } from '../../lib/egress/guard.ts';
import { seeded } from '../support/seeded.ts';
import { guardOf, problemOf, resolverOf, verdictOf } from './setup.ts';

const NAMES = {
  'example.com': ['93.184.216.34', '2606:2800:220:1::1'],
  'example.com.': ['93.184.216.34'],
  'xn--bcher-kva.example': ['93.184.216.34'],
  localhost: ['127.0.0.1', '::1'],
  'localhost.': ['127.0.0.1'],
  'foo.localhost': ['127.0.0.1'],
  'localhost.example.com': ['93.184.216.34'],
  '127.0.0.1.nip.io': ['127.0.0.1'],
  '10.0.0.1.nip.io': ['10.0.0.1'],
  'metadata.google.internal': ['169.254.169.254'],
  'mixed.example': ['93.184.216.34', '10.0.0.1'],
  'mixed6.example': ['2606:2800:220:1::1', 'fd00::1'],
  'mapped.example': ['::ffff:10.0.0.1'],
  'nat64.example': ['64:ff9b::a00:1'],
  'zone.example': ['fe80::1%eth0'],
  'empty.example': [],
};
const SOFT_HYPHEN = '\u00ad';
const LONG_NAME = `${'a'.repeat(63)}.`.repeat(5);

/** The rule that refuses, or the host. The second verdict is for a registration that may reach this machine; most often it is the same. */
const CASES: [url: string, verdict: string, loopback?: string][] = [
  // What is meant to work.
  ['http://example.com/', 'example.com'],
  ['https://example.com/a/b?c=d#e', 'example.com'],
  ['HTTPS://EXAMPLE.COM', 'example.com'],
  ['http://example.com:8080/', 'example.com'],
  ['http://example.com./', 'example.com.'],
  ['http://localhost.example.com/', 'localhost.example.com'],
  ['http://bücher.example/', 'xn--bcher-kva.example'],
  ['http://ｅｘａｍｐｌｅ.com/', 'example.com'],
  ['http://ex%61mple.com/', 'example.com'],
  ['http://8.8.8.8/', '8.8.8.8'],
  ['http://[2606:4700:4700::1111]/', '[2606:4700:4700::1111]'],
  ['http://[::ffff:8.8.8.8]/', '[::ffff:808:808]'],
  ['http://example.com/{id}/@me?to=a@b.c', 'example.com'],
  // This machine, in the forms that a trusted registration may use.
  ['http://localhost/', 'address_not_allowed', 'localhost'],
  ['http://LocalHost:8080/x', 'address_not_allowed', 'localhost'],
  ['http://127.0.0.1/', 'address_not_allowed', '127.0.0.1'],
  ['http://127.255.255.254:1/', 'address_not_allowed', '127.255.255.254'],
  ['http://[::1]/', 'address_not_allowed', '[::1]'],
  ['http://[0:0:0:0:0:0:0:1]:80/', 'address_not_allowed', '[::1]'],
  ['http://127.1/', 'address_not_allowed', '127.0.0.1'],
  ['http://127.0.1/', 'address_not_allowed', '127.0.0.1'],
  ['http://2130706433/', 'address_not_allowed', '127.0.0.1'],
  ['http://0x7f000001/', 'address_not_allowed', '127.0.0.1'],
  ['http://0X7F.1/', 'address_not_allowed', '127.0.0.1'],
  ['http://0177.0.0.1/', 'address_not_allowed', '127.0.0.1'],
  ['http://017700000001/', 'address_not_allowed', '127.0.0.1'],
  ['http://0177.0x0.0.01/', 'address_not_allowed', '127.0.0.1'],
  ['http://127.0.0.1./', 'address_not_allowed', '127.0.0.1'],
  ['http://１２７.０.０.１/', 'address_not_allowed', '127.0.0.1'],
  ['http://①②⑦.0.0.1/', 'address_not_allowed', '127.0.0.1'],
  ['http://127。0。0。1/', 'address_not_allowed', '127.0.0.1'],
  ['http://%31%32%37.0.0.1/', 'address_not_allowed', '127.0.0.1'],
  ['http://l%6fcalhost/', 'address_not_allowed', 'localhost'],
  ['http://ⓛⓞⓒⓐⓛhost/', 'address_not_allowed', 'localhost'],
  [`http://local${SOFT_HYPHEN}host/`, 'address_not_allowed', 'localhost'],
  // This machine, in forms that nobody may use.
  ['https://localhost/', 'address_not_allowed'],
  ['https://127.0.0.1/', 'address_not_allowed'],
  ['https://[::1]/', 'address_not_allowed'],
  ['http://localhost./', 'address_not_allowed'],
  ['http://foo.localhost/', 'address_not_allowed'],
  ['http://127.0.0.1.nip.io/', 'address_not_allowed'],
  ['http://0/', 'address_not_allowed'],
  ['http://0.0.0.0/', 'address_not_allowed'],
  ['http://[::]/', 'address_not_allowed'],
  ['http://[::ffff:127.0.0.1]/', 'address_not_allowed'],
  ['http://[::ffff:7f00:1]/', 'address_not_allowed'],
  ['http://[0:0:0:0:0:FFFF:127.0.0.1]/', 'address_not_allowed'],
  ['http://[::127.0.0.1]/', 'address_not_allowed'],
  ['http://[::ffff:0:127.0.0.1]/', 'address_not_allowed'],
  ['http://[64:ff9b::127.0.0.1]/', 'address_not_allowed'],
  ['http://[64:ff9b:1::7f00:1]/', 'address_not_allowed'],
  ['http://[2002:7f00:1::]/', 'address_not_allowed'],
  ['http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/', 'address_not_allowed'],
  // The metadata of clouds.
  ['http://169.254.169.254/latest/meta-data/', 'address_not_allowed'],
  ['http://169.254.43518/', 'address_not_allowed'],
  ['http://169.16689662/', 'address_not_allowed'],
  ['http://2852039166/', 'address_not_allowed'],
  ['http://0xa9fea9fe/', 'address_not_allowed'],
  ['http://0xa9.0xfe.0xa9.0xfe/', 'address_not_allowed'],
  ['http://0251.0376.0251.0376/', 'address_not_allowed'],
  ['http://025177524776/', 'address_not_allowed'],
  ['http://0000000000251.254.169.254/', 'address_not_allowed'],
  ['http://169.254.169.254./', 'address_not_allowed'],
  ['http://１６９.２５４.１６９.２５４/', 'address_not_allowed'],
  ['http://[::ffff:169.254.169.254]/', 'address_not_allowed'],
  ['http://[::ffff:a9fe:a9fe]/', 'address_not_allowed'],
  ['http://[::a9fe:a9fe]/', 'address_not_allowed'],
  ['http://[64:ff9b::a9fe:a9fe]/', 'address_not_allowed'],
  ['http://[2002:a9fe:a9fe::]/', 'address_not_allowed'],
  ['http://[fd00:ec2::254]/', 'address_not_allowed'],
  ['http://100.100.100.200/', 'address_not_allowed'],
  ['http://192.0.0.192/', 'address_not_allowed'],
  ['http://168.63.129.16/', 'address_not_allowed'],
  ['http://metadata.google.internal/', 'address_not_allowed'],
  // Other networks that are not public.
  ['http://10.0.0.1/', 'address_not_allowed'],
  ['http://172.16.0.1/', 'address_not_allowed'],
  ['http://192.168.0.1/', 'address_not_allowed'],
  ['http://100.64.0.1/', 'address_not_allowed'],
  ['http://224.0.0.1/', 'address_not_allowed'],
  ['http://255.255.255.255/', 'address_not_allowed'],
  ['http://4294967295/', 'address_not_allowed'],
  ['http://[fe80::1]/', 'address_not_allowed'],
  ['http://[fec0::1]/', 'address_not_allowed'],
  ['http://[fc00::1]/', 'address_not_allowed'],
  ['http://[ff02::1]/', 'address_not_allowed'],
  ['http://[100::1]/', 'address_not_allowed'],
  // Names, by all that they lead to.
  ['http://10.0.0.1.nip.io/', 'address_not_allowed'],
  ['http://mixed.example/', 'address_not_allowed'],
  ['http://mixed6.example/', 'address_not_allowed'],
  ['http://mapped.example/', 'address_not_allowed'],
  ['http://nat64.example/', 'address_not_allowed'],
  ['http://zone.example/', 'address_not_allowed'],
  ['http://empty.example/', 'lookup_failed'],
  ['http://unknown.example/', 'lookup_failed'],
  ['http://./', 'lookup_failed'],
  [`http://${LONG_NAME}/`, 'lookup_failed'],
  // What a URL must not hold.
  ['http://user@example.com/', 'credentials_in_url'],
  ['http://user:password@example.com/', 'credentials_in_url'],
  ['http://@example.com/', 'credentials_in_url'],
  ['http://:@127.0.0.1/', 'credentials_in_url'],
  ['http://example.com@127.0.0.1/', 'credentials_in_url'],
  ['http://127.0.0.1:80@example.com/', 'credentials_in_url'],
  ['http://example.com%2f@127.0.0.1/', 'credentials_in_url'],
  // Other schemes.
  ['ftp://example.com/', 'scheme_not_allowed'],
  ['file:///etc/passwd', 'scheme_not_allowed'],
  ['ws://example.com/', 'scheme_not_allowed'],
  ['gopher://127.0.0.1:6379/_x', 'scheme_not_allowed'],
  ['unix:/var/run/docker.sock', 'scheme_not_allowed'],
  ['http+unix://%2Fvar%2Frun%2Fdocker.sock/', 'scheme_not_allowed'],
  ['javascript:alert(1)', 'scheme_not_allowed'],
  ['data:text/plain,x', 'scheme_not_allowed'],
  ['blob:http://127.0.0.1/x', 'scheme_not_allowed'],
  ['localhost:80', 'scheme_not_allowed'],
  // What parsers do not agree on, or is no URL.
  ['', 'invalid_url'],
  ['//example.com/', 'invalid_url'],
  ['/path', 'invalid_url'],
  ['example.com', 'invalid_url'],
  ['http://', 'invalid_url'],
  ['http:///', 'invalid_url'],
  ['http://:80/', 'invalid_url'],
  ['http:127.0.0.1', 'invalid_url'],
  ['http:/127.0.0.1/', 'invalid_url'],
  ['http:///127.0.0.1/', 'invalid_url'],
  ['http:\\\\127.0.0.1\\', 'invalid_url'],
  ['http://127.0.0.1\\@example.com/', 'invalid_url'],
  ['http://example.com\\@127.0.0.1/', 'invalid_url'],
  [' http://127.0.0.1/', 'invalid_url'],
  ['http://127.0.0.1/ ', 'invalid_url'],
  ['ht\ntp://127.0.0.1/', 'invalid_url'],
  ['http://127.0\t.0.1/', 'invalid_url'],
  ['http://example.com\r\nHost:127.0.0.1/', 'invalid_url'],
  ['http://exa\u0000mple.com/', 'invalid_url'],
  ['http://127.0.0.1%00.example.com/', 'invalid_url'],
  ['http://127.0.0.1%0d%0a/', 'invalid_url'],
  ['http://127.0.0.1%2f.example.com/', 'invalid_url'],
  ['http://[fe80::1%25eth0]/', 'invalid_url'],
  ['http://[fe80::1%eth0]/', 'invalid_url'],
  ['http://[::1%250]/', 'invalid_url'],
  ['http://[::1/', 'invalid_url'],
  ['http://[127.0.0.1]/', 'invalid_url'],
  ['http://[::1].example.com/', 'invalid_url'],
  ['http://::1/', 'invalid_url'],
  ['http://256.1.1.1/', 'invalid_url'],
  ['http://127.0.0.1.5/', 'invalid_url'],
  ['http://08.8.8.8/', 'invalid_url'],
  ['http://4294967296/', 'invalid_url'],
  ['http://127.0.0.0x100/', 'invalid_url'],
  ['http://example.com:65536/', 'invalid_url'],
  ['http://example.com:80:80/', 'invalid_url'],
  ['http://127.0.0.1:0x50/', 'invalid_url'],
  [`http://example.com/${'x'.repeat(8_192)}`, 'invalid_url'],
];

describe('where a URL may lead', () => {
  for (const [url, verdict, loopback = verdict] of CASES) {
    test(`${JSON.stringify(url).slice(0, 80)} ${verdict}`, async (t) => {
      const guard = guardOf(t, {}, { lookup: resolverOf(NAMES) });
      assert.equal(await verdictOf(guard.check(url, 'public')), verdict);
      assert.equal(await verdictOf(guard.check(url, 'loopback')), loopback);
    });
  }

  test('is asked of as many characters as a URL may have', async (t) => {
    const guard = guardOf(t);
    const base = 'http://8.8.8.8/';
    assert.equal(guard.parse(base.padEnd(8_192, 'x'), 'public').hostname, '8.8.8.8');
    assert.throws(() => guard.parse(base.padEnd(8_193, 'x'), 'public'), { details: { rule: 'invalid_url' } });
  });
});

describe('no spelling gets through', () => {
  const octet = fc.nat(255);
  const privateAddress = fc.oneof(
    ...[[10], [127], [0], [169, 254], [192, 168], [172, 16], [172, 31], [100, 64], [198, 18], [224], [255]].map(
      (head) => fc.tuple(octet, octet, octet, octet).map((tail) => [...head, ...tail].slice(0, 4)),
    ),
  );
  const spelling = fc.record({
    octets: privateAddress,
    parts: fc.integer({ min: 1, max: 4 }),
    bases: fc.array(fc.constantFrom('decimal', 'octal', 'hex', 'HEX'), { minLength: 4, maxLength: 4 }),
    zeros: fc.nat(3),
    dot: fc.constantFrom('.', '。', '．', '%2e', '｡'),
    tail: fc.constantFrom('', '.'),
    digits: fc.constantFrom('plain', 'full-width', 'percent'),
    scheme: fc.constantFrom('http', 'https', 'HtTp'),
    rest: fc.constantFrom('', '/', ':8080/x', '?q', '#f'),
  });

  test('of a private IPv4 address', (t) => {
    const guard = guardOf(t);
    fc.assert(
      fc.property(spelling, ({ octets, scheme, rest, ...how }) => {
        const url = `${scheme}://${spell(octets, how)}${rest}`;
        // The spelling is one, else it would prove nothing.
        assert.equal(new URL(url).hostname, octets.join('.'), url);
        assert.equal(ruleOf(guard, url), 'address_not_allowed', url);
      }),
      seeded(t, 20_000),
    );
  });

  test('of a private IPv4 address within an IPv6 address', (t) => {
    const guard = guardOf(t);
    const embedding = fc.constantFrom(...Object.values(EMBEDDINGS));
    fc.assert(
      fc.property(privateAddress, embedding, fc.boolean(), (octets, embed, isUpper) => {
        const address = embed(octets);
        const url = `http://[${isUpper ? address.toUpperCase() : address}]/`;
        assert.equal(new URL(url).protocol, 'http:');
        assert.equal(ruleOf(guard, url), 'address_not_allowed', url);
      }),
      seeded(t, 10_000),
    );
  });
});

interface Spelling {
  readonly parts: number;
  readonly bases: readonly string[];
  readonly zeros: number;
  readonly dot: string;
  readonly tail: string;
  readonly digits: string;
}

/** As `inet_aton` takes it: up to four numbers, each in a base of its own, the last of which holds what is left. */
function spell(octets: readonly number[], { parts, bases, zeros, dot, tail, digits }: Spelling): string {
  const last = octets.slice(parts - 1).reduce((sum, octet) => sum * 256 + octet, 0);
  const numbers = [...octets.slice(0, parts - 1), last].map((number, index) => {
    if (bases[index] === 'octal') return `${'0'.repeat(1 + zeros)}${number.toString(8)}`;
    if (bases[index] === 'hex') return `0x${'0'.repeat(zeros)}${number.toString(16)}`;
    return bases[index] === 'HEX' ? `0X${'0'.repeat(zeros)}${number.toString(16).toUpperCase()}` : String(number);
  });
  return numbers.map((number) => redraw(number, digits)).join(dot) + tail;
}

function redraw(text: string, digits: string): string {
  if (digits === 'plain') return text;
  return text.replace(/./g, (char) =>
    digits === 'percent'
      ? `%${char.charCodeAt(0).toString(16)}`
      : String.fromCharCode(char.charCodeAt(0) - 0x21 + 0xff01),
  );
}

const EMBEDDINGS: Record<string, (octets: readonly number[]) => string> = {
  mapped: (octets) => `::ffff:${octets.join('.')}`,
  mappedHex: (octets) => `0:0:0:0:0:ffff:${pairs(octets)}`,
  compatible: (octets) => `::${octets.join('.')}`,
  translated: (octets) => `::ffff:0:${octets.join('.')}`,
  nat64: (octets) => `64:ff9b::${octets.join('.')}`,
  localNat64: (octets) => `64:ff9b:1::${pairs(octets)}`,
  sixToFour: (octets) => `2002:${pairs(octets)}::1`,
  teredo: (octets) => `2001:0:808:808:0:0:${pairs(octets.map((octet) => octet ^ 0xff))}`,
  isatap: (octets) => `2606:4700::5efe:${octets.join('.')}`,
};

function pairs([a = 0, b = 0, c = 0, d = 0]: readonly number[]): string {
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function ruleOf(guard: Guard, url: string): string {
  try {
    return guard.parse(url, 'public').hostname;
  } catch (thrown) {
    return problemOf(thrown);
  }
}
