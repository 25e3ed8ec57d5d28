// What a frame says, from its bytes: nothing that JSON allows reads otherwise than JSON.parse reads it, and nothing else is taken for it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MAX_BAGGAGE_CHARS } from '../../lib/engine/bounds.ts';
import { MAX_METADATA_BYTES, MAX_TRACEPARENT_CHARS } from '../../lib/gateway/bounds.ts';
import { FrameReader } from '../../lib/gateway/reading.ts';
import type { IncomingFrame } from '../../lib/gateway/reading.ts';
import { INLINE_PARSE_BYTES, MAX_ERROR_CHARS, MAX_REGISTRATION_BYTES } from '../../lib/limits.ts';
import { decode } from '../../lib/protocol/payload.ts';
import { seeded } from '../support/seeded.ts';

const reader = new FrameReader();

function read(frame: unknown): IncomingFrame {
  const text = typeof frame === 'string' ? frame : JSON.stringify(frame);
  let isWhole = reader.open(Buffer.from(text));
  while (!isWhole) isWhole = reader.goOn();
  return reader.frame();
}

/** The code, and the path that the first issue names. */
function refusalOf(frame: unknown): unknown {
  try {
    return read(frame);
  } catch (thrown) {
    const { code, details } = thrown as { code: string; details?: { issues?: { path: string }[] } };
    return [code, details?.issues?.[0]?.path];
  }
}

const CALL = { type: 'invokefunction', function_id: 'f' };
const RESULT = { type: 'invocationresult', invocation_id: 'i' };
const FUNCTION = { type: 'registerfunction', id: 'f' };

describe('a frame', () => {
  const frames: [string, object, unknown][] = [
    [
      'a call without anything else',
      CALL,
      {
        ...{ type: 'invokefunction', invocationId: null, functionId: 'f', data: 'null', metadata: null },
        ...{ traceparent: undefined, baggage: undefined, action: 'call' },
      },
    ],
    [
      'a call with everything',
      {
        ...CALL,
        invocation_id: 'i',
        data: { a: [1] },
        metadata: { m: 1 },
        traceparent: 't',
        baggage: 'b',
        action: { type: 'void' },
      },
      {
        ...{ type: 'invokefunction', invocationId: 'i', functionId: 'f', data: '{"a":[1]}', metadata: '{"m":1}' },
        ...{ traceparent: 't', baggage: 'b', action: 'void' },
      },
    ],
    [
      'a result',
      { ...RESULT, result: 'x' },
      { type: 'invocationresult', invocationId: 'i', result: '"x"', error: null },
    ],
    ['a result of nothing', RESULT, { type: 'invocationresult', invocationId: 'i', result: 'null', error: null }],
    [
      'an error',
      { ...RESULT, error: { code: 'c', message: 'm', stacktrace: 's', other: 1 }, result: 1 },
      { type: 'invocationresult', invocationId: 'i', result: 'null', error: { code: 'c', message: 'm' } },
    ],
    [
      'an error that is a text',
      { ...RESULT, error: 'm' },
      {
        type: 'invocationresult',
        invocationId: 'i',
        result: 'null',
        error: { code: 'invocation_failed', message: 'm' },
      },
    ],
    [
      'a registration',
      { ...FUNCTION, description: 'd', request_format: {}, response_format: { a: 1 }, metadata: [1] },
      {
        ...{ type: 'registerfunction', id: 'f', description: 'd', requestFormat: {}, responseFormat: { a: 1 } },
        ...{ metadata: [1], invocation: undefined, bytes: '"d"{}{"a":1}[1]f'.length },
      },
    ],
    ['the end of one', { type: 'unregisterfunction', id: 'f' }, { type: 'unregisterfunction', id: 'f' }],
    [
      'a reattach',
      { type: 'reattach', previous_worker_id: 'w', reattach_token: 't' },
      { type: 'reattach', previousWorkerId: 'w', token: 't' },
    ],
    [
      'a reattach without a token',
      { type: 'reattach', previous_worker_id: 'w' },
      { type: 'reattach', previousWorkerId: 'w', token: null },
    ],
    [
      'a trigger type',
      { type: 'registertriggertype', id: 't', description: 'd', trigger_request_format: 1, call_request_format: [] },
      { type: 'registertriggertype', id: 't', description: 'd', requestFormat: 1, callFormat: [] },
    ],
    [
      'the end of a trigger type',
      { type: 'unregistertriggertype', id: 't', description: 'd' },
      { type: 'unregistertriggertype', id: 't' },
    ],
    [
      'a trigger',
      {
        type: 'registertrigger',
        message_type: 'registertrigger',
        id: 't',
        trigger_type: 'tt',
        function_id: 'f',
        config: { k: 1 },
      },
      { type: 'registertrigger', id: 't', triggerType: 'tt', functionId: 'f', config: { k: 1 }, metadata: undefined },
    ],
    [
      'the end of a trigger',
      { type: 'unregistertrigger', id: 't', trigger_type: 'tt' },
      { type: 'unregistertrigger', id: 't' },
    ],
    [
      'the result of a trigger',
      {
        type: 'triggerregistrationresult',
        id: 't',
        trigger_type: 'tt',
        function_id: 'f',
        error: { code: 'c', message: 'm' },
      },
      { type: 'triggerregistrationresult', id: 't', triggerType: 'tt', error: { code: 'c', message: 'm' } },
    ],
    ['a ping', { type: 'ping', more: 1 }, { type: 'ping' }],
    ['a pong', { type: 'pong' }, { type: 'ignored' }],
    ['one that only we send', { type: 'workerregistered', worker_id: 'w' }, { type: 'ignored' }],
    ['no type', {}, { type: 'ignored' }],
    ['a type that is null', { type: null }, { type: 'ignored' }],
  ];

  for (const [what, frame, expected] of frames) {
    test(`${what}: is read, with its members in any order, spelt with escapes, and with white space between them`, () => {
      assert.deepEqual(read(frame), expected);
      assert.deepEqual(read(Object.fromEntries(Object.entries(frame).reverse())), expected);
      assert.deepEqual(read(`\uFEFF\r\n\t ${JSON.stringify(frame)} \n`), expected);
      const escaped = Object.entries(frame).map(([name, value]) => {
        const hex = name.charCodeAt(0).toString(16).padStart(4, '0');
        return ` "\\u${hex}${name.slice(1)}" \n:\t${JSON.stringify(value)} `;
      });
      assert.deepEqual(read(`{${escaped.join(',')}}`), expected);
    });
  }

  test('takes null for absent in every member that may be absent', () => {
    const optional = ['invocation_id', 'data', 'metadata', 'traceparent', 'baggage', 'action'];
    assert.deepEqual(read({ ...CALL, ...nulls(optional) }), read(CALL));
    assert.deepEqual(read({ ...RESULT, ...nulls(['result', 'error']) }), read(RESULT));
    const { bytes, ...registered } = read({
      ...FUNCTION,
      ...nulls(['description', 'request_format', 'response_format', 'metadata', 'invocation']),
    }) as { bytes: number };
    const { bytes: least, ...bare } = read(FUNCTION) as { bytes: number };
    assert.deepEqual([registered, bytes], [bare, least]);
  });

  test('is refused by the name of the member that is missing or of a wrong type', () => {
    const wrong: [object, string][] = [
      [{ ...CALL, function_id: undefined }, 'function_id'],
      [{ ...CALL, function_id: null }, 'function_id'],
      [{ ...CALL, function_id: '' }, 'function_id'],
      [{ ...CALL, function_id: ['f'] }, 'function_id'],
      [{ ...CALL, invocation_id: 7 }, 'invocation_id'],
      [{ ...CALL, invocation_id: 'x'.repeat(2_000) }, 'invocation_id'],
      [{ ...CALL, action: 'void' }, 'action.type'],
      [{ ...CALL, action: { type: 'call' } }, 'action.type'],
      [{ ...CALL, action: [] }, 'action.type'],
      [{ ...CALL, metadata: 'x'.repeat(MAX_METADATA_BYTES - 1) }, 'metadata'],
      [{ ...RESULT, invocation_id: undefined }, 'invocation_id'],
      [{ ...RESULT, invocation_id: {} }, 'invocation_id'],
      [{ ...FUNCTION, id: 7 }, 'id'],
      [{ ...FUNCTION, description: 7 }, 'description'],
      [{ ...FUNCTION, metadata: 'x'.repeat(MAX_REGISTRATION_BYTES) }, ''],
      [{ type: 'unregisterfunction' }, 'id'],
      [{ type: 'reattach' }, 'previous_worker_id'],
      [{ type: 'registertriggertype', id: 'a', description: [] }, 'description'],
      [{ type: 'registertrigger', id: 'a', trigger_type: 'b' }, 'function_id'],
      [{ type: 'registertrigger', id: 'a', function_id: 'b' }, 'trigger_type'],
      [{ type: 'registertrigger', trigger_type: 'a', function_id: 'b' }, 'id'],
      [{ type: 'triggerregistrationresult', id: 'a' }, 'trigger_type'],
    ];
    for (const [frame, path] of wrong) {
      assert.deepEqual(refusalOf(frame), ['invalid_request', path], JSON.stringify(frame).slice(0, 200));
    }
  });

  test('has each member once, however it is spelt; members that nobody reads may come twice', () => {
    for (const name of ['type', 'function_id', 'data', 'invocation_id', 'metadata', 'error', 'reattach_token']) {
      const escaped = `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`;
      for (const again of [name, escaped]) {
        assert.deepEqual(refusalOf(`{"${name}":"a","${again}":"b"}`), ['invalid_request', name]);
      }
    }
    assert.deepEqual(read('{"x":1,"x":2,"__proto__":3,"type":"ping"}'), { type: 'ping' });
  });

  test('drops trace members that are too long, and cuts what is shown to people', () => {
    const traceparent = 't'.repeat(MAX_TRACEPARENT_CHARS);
    const baggage = 'b'.repeat(MAX_BAGGAGE_CHARS);
    const at = read({ ...CALL, traceparent, baggage }) as { traceparent?: string; baggage?: string };
    assert.deepEqual([at.traceparent, at.baggage], [traceparent, baggage]);
    const above = read({ ...CALL, traceparent: `${traceparent}t`, baggage: `${baggage}b` }) as typeof at;
    assert.deepEqual([above.traceparent, above.baggage], [undefined, undefined]);
    const { error } = read({ ...RESULT, error: { code: 'c', message: 'm'.repeat(MAX_ERROR_CHARS + 1) } }) as {
      error: { message: string };
    };
    assert.equal(error.message.length, MAX_ERROR_CHARS);
  });

  test('that cannot be read still says who waits for it, as far as it was read', () => {
    for (const rest of [',"data":1,"data":2}', ',"data":[}', ',', '] ', ',"data":{"a":"']) {
      const text = `{"type":"invokefunction","invocation_id":"i","function_id":"f"${rest}`;
      assert.throws(() => reader.open(Buffer.from(text)));
      assert.deepEqual(reader.address(), { type: 'invokefunction', invocationId: 'i', functionId: 'f' });
    }
    assert.throws(() => reader.open(Buffer.from('[')));
    assert.deepEqual(reader.address(), { type: null, invocationId: null, functionId: null });
    read(FUNCTION);
    assert.equal(reader.address().functionId, 'f');
  });
});

describe('what a call carries', () => {
  test('is text up to the size that is checked here, and bytes that nobody has checked above it', () => {
    const fits = JSON.stringify('x'.repeat(INLINE_PARSE_BYTES - 2));
    const call = (data: string) =>
      (read(`{"type":"invokefunction","function_id":"f","data":${data}}`) as { data: unknown }).data;
    assert.equal(call(fits), fits);
    const above = call(`${fits.slice(0, -1)}x"`);
    assert.ok(above instanceof Uint8Array && above.length === INLINE_PARSE_BYTES + 1);
  });

  test('is handed on as it was written, byte for byte', () => {
    for (const data of [
      '1.0',
      '12345678901234567890',
      '{ "b" : 1, "a":\n2 }',
      '"\\u00e9\\/"',
      '[1,2 , 3]',
      'true',
      '-0',
    ]) {
      const text = `{"type":"invokefunction","function_id":"f","data": ${data} }`;
      assert.equal((read(text) as { data: string }).data, data);
    }
  });

  test('is refused when it is no JSON, though the frame around it is one', () => {
    for (const data of [
      'nul',
      'nope',
      'tru',
      '01',
      '+1',
      '.5',
      '1.',
      "'a'",
      '{a:1}',
      '[1,]',
      '{"a":1,}',
      'NaN',
      '"\t"',
      '"\\x"',
      '[}',
      '"\\ud8"',
    ]) {
      const text = `{"type":"invokefunction","function_id":"f","data":${data}}`;
      assert.equal((refusalOf(text) as unknown[])[0], 'invalid_json', data);
      assert.equal((refusalOf(text.replace('"data"', '"metadata"')) as unknown[])[0], 'invalid_json', data);
    }
  });
});

describe('any object that JSON.parse accepts', () => {
  /** Texts with everything that could be mistaken for the end of something. */
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('"', '\\', '{}[],:', '\\"}', '\u2028', '\ud83d\ude00'),
  );
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 4 }).filter((json) => !/"(__proto__|constructor|prototype)"/.test(JSON.stringify(json))),
    text,
    fc.array(text, { maxLength: 5 }),
  );
  const space = fc.constantFrom('', ' ', '\n', '\t\r\n ');
  /** A text as JSON, with some of its characters spelt with escapes. */
  const spell = (given: string, mask: number): string =>
    JSON.stringify(given).replace(/[a-z_]/g, (char, at: number) =>
      ((mask >> (at % 30)) & 1) === 1 &&
      JSON.stringify(given)[at - 1] !== '\\' &&
      !/\\u[0-9a-f]{0,3}$/.test(JSON.stringify(given).slice(0, at))
        ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
        : char,
    );

  test('is read the same', (t) => {
    const members = fc.uniqueArray(
      fc.tuple(fc.oneof(fc.constantFrom('data', 'metadata', 'invocation_id', 'traceparent'), text), value, fc.nat()),
      { selector: ([name]) => name, maxLength: 6 },
    );
    fc.assert(
      fc.property(members, space, fc.nat(), (given, gap, mask) => {
        const kept = given.filter(
          ([name]) => !['type', 'function_id', 'action', '__proto__', 'baggage'].includes(name),
        );
        const parts = [
          `"type"${gap}:${gap}${spell('invokefunction', mask)}`,
          `${spell('function_id', mask)}:"f"`,
          ...kept.map(([name, data, bits]) => `${spell(name, bits)}${gap}:${gap}${JSON.stringify(data)}${gap}`),
        ];
        const source = `${gap}{${gap}${parts.join(`${gap},${gap}`)}${gap}}${gap}`;
        const expected = JSON.parse(source) as Record<string, unknown>;
        const id = expected['invocation_id'] ?? null;
        if (id !== null && (typeof id !== 'string' || id === '')) {
          assert.deepEqual(refusalOf(source), ['invalid_request', 'invocation_id']);
          return;
        }
        const frame = read(source);
        assert.ok(frame.type === 'invokefunction');
        assert.equal(frame.invocationId, id);
        assert.deepEqual(decode(frame.data), expected['data'] ?? null);
        assert.deepEqual(frame.metadata === null ? null : decode(frame.metadata), expected['metadata'] ?? null);
        const { traceparent } = expected;
        assert.equal(frame.traceparent, typeof traceparent === 'string' ? traceparent : undefined);
      }),
      seeded(t, 2_000),
    );
  });

  test('is read the same in pieces, wherever they end', (t) => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), fc.nat({ max: 1_200_000 }), (texts, filler) => {
        const data = [texts, 'x'.repeat(filler), texts];
        const frame = read({ data, ...CALL, metadata: texts });
        assert.ok(frame.type === 'invokefunction');
        assert.deepEqual(decode(frame.data), data);
        assert.deepEqual(decode(frame.metadata ?? ''), texts);
      }),
      seeded(t, 60),
    );
  });

  test('and cut off anywhere is refused', (t) => {
    fc.assert(
      fc.property(value, fc.nat(), (data, at) => {
        const source = JSON.stringify({ ...CALL, data });
        assert.throws(() => read(source.slice(0, at % source.length)));
      }),
      seeded(t, 500),
    );
  });
});

const nulls = (names: string[]): object => Object.fromEntries(names.map((name) => [name, null]));
