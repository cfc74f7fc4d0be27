import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CborInput } from '@nitro-enclaves/core';
import { concatBytes, decodeCbor, decodeHex, encodeHex } from '@nitro-enclaves/core';
import { NSM_REQUEST_MAX_SIZE, Nsm, NsmError } from '@nitro-enclaves/nsm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRequest } from '../src/request.ts';
import { ScriptedDevice } from './scripted-device.ts';

const text = (value: string): Uint8Array =>
  concatBytes(Uint8Array.of(0x60 | value.length), new TextEncoder().encode(value));

/** What the module would be sent by `call`. */
async function sentBy(call: (nsm: Nsm) => Promise<unknown>): Promise<Uint8Array> {
  const device = new ScriptedDevice(() => Uint8Array.of(0));
  await call(new Nsm(device)).catch(() => undefined);
  const [request] = device.requests;
  if (request === undefined) throw new Error('expected a request, found none');
  return request;
}

/** How a call fails, and how many requests were made until it did. */
async function refusalOf(call: (nsm: Nsm) => Promise<unknown>): Promise<{ code: unknown; requests: number }> {
  const device = new ScriptedDevice(() => Uint8Array.of(0));
  const error = await call(new Nsm(device)).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { code: error instanceof NsmError ? error.code : error, requests: device.requests.length };
}

describe('requests on the wire', () => {
  it('are a bare text string when they have no fields', async () => {
    expect(await sentBy((nsm) => nsm.describeNsm())).toEqual(text('DescribeNSM'));
    expect(await sentBy((nsm) => nsm.getRandom(1))).toEqual(text('GetRandom'));
  });

  it('are a map of one entry, their name and their fields, when they have any', async () => {
    const one = (name: string, field: string, ...value: number[]): Uint8Array =>
      concatBytes(Uint8Array.of(0xa1), text(name), Uint8Array.of(0xa1), text(field), Uint8Array.from(value));
    expect(await sentBy((nsm) => nsm.describePcr(0))).toEqual(one('DescribePCR', 'index', 0x00));
    expect(await sentBy((nsm) => nsm.describePcr(31))).toEqual(one('DescribePCR', 'index', 0x18, 31));
    expect(await sentBy((nsm) => nsm.lockPcr(16))).toEqual(one('LockPCR', 'index', 0x10));
    expect(await sentBy((nsm) => nsm.lockPcrs(32))).toEqual(one('LockPCRs', 'range', 0x18, 32));
  });

  it('carry the data of an extension as a byte string without a tag', async () => {
    const sent = await sentBy((nsm) => nsm.extendPcr(16, Uint8Array.of(1, 2, 3)));
    expect(encodeHex(sent)).toBe(
      encodeHex(
        concatBytes(
          ...[Uint8Array.of(0xa1), text('ExtendPCR'), Uint8Array.of(0xa2), text('index'), Uint8Array.of(0x10)],
          ...[text('data'), Uint8Array.of(0x43, 1, 2, 3)],
        ),
      ),
    );
  });

  it('name what is absent as null, what is empty as empty, in the order of the official library', async () => {
    const sent = await sentBy((nsm) => nsm.attestation({ nonce: new Uint8Array() }));
    const fields = [text('user_data'), Uint8Array.of(0xf6), text('nonce'), Uint8Array.of(0x40), text('public_key')];
    const head = [Uint8Array.of(0xa1), text('Attestation'), Uint8Array.of(0xa3)];
    expect(sent).toEqual(concatBytes(...head, ...fields, Uint8Array.of(0xf6)));
  });

  it('hold exactly what they were given, whatever that is', () => {
    const value = fc.oneof(
      fc.maxSafeInteger(),
      fc.string({ unit: 'grapheme' }),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array({ maxLength: 300 }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.dictionary(fc.string(), value), (name, object) => {
        const fields = new Map<string, CborInput>(Object.entries(object));
        const decoded = decodeCbor(encodeRequest({ name, fields: new Map(Object.entries(object)) }));
        expect(decoded).toEqual(new Map([[name, fields]]));
      }),
    );
  });

  it.each([
    [2 ** 32 - 1, '1affffffff'],
    [2 ** 32, '1b0000000100000000'],
    [-(2 ** 32), '3affffffff'],
    [-(2 ** 32) - 1, '3b0000000100000000'],
    [-0, '00'],
  ])('hold %s in as few bytes as it takes', (value, hex) => {
    expect(encodeHex(encodeRequest({ name: 'A', fields: new Map([['b', value]]) }))).toBe(`a16141a16162${hex}`);
  });

  it('do not change when a later request is encoded', async () => {
    const first = encodeRequest({ name: 'GetRandom' });
    const kept = first.slice();
    for (let count = 0; count < 200; count += 1)
      encodeRequest({ name: 'DescribePCR', fields: new Map([['index', 1]]) });
    expect(first).toEqual(kept);
  });
});

describe('limits, before anything is sent', () => {
  const MUST_NOT_BE_SENT = { code: 'NSM_ARGUMENT', requests: 0 };
  const large = (length: number): Uint8Array => new Uint8Array(length);

  it.each([-1, 32, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32])('there is no PCR %s', async (index) => {
    expect(await refusalOf((nsm) => nsm.describePcr(index))).toEqual(MUST_NOT_BE_SENT);
    expect(await refusalOf((nsm) => nsm.extendPcr(index, large(1)))).toEqual(MUST_NOT_BE_SENT);
    expect(await refusalOf((nsm) => nsm.lockPcr(index))).toEqual(MUST_NOT_BE_SENT);
  });

  it('32 PCRs can be locked and not 33', async () => {
    expect(await refusalOf((nsm) => nsm.lockPcrs(33))).toEqual(MUST_NOT_BE_SENT);
    expect(await refusalOf((nsm) => nsm.lockPcrs(-1))).toEqual(MUST_NOT_BE_SENT);
    expect((await refusalOf((nsm) => nsm.lockPcrs(32))).requests).toBe(1);
  });

  it.each(['publicKey', 'userData', 'nonce'] as const)('%s has at most 1024 bytes', async (field) => {
    expect(await refusalOf((nsm) => nsm.attestation({ [field]: large(1025) }))).toEqual(MUST_NOT_BE_SENT);
    expect((await refusalOf((nsm) => nsm.attestation({ [field]: large(1024) }))).requests).toBe(1);
  });

  it('text is not taken for bytes', async () => {
    const untyped = JSON.parse('{ "nonce": "text" }');
    expect(await refusalOf((nsm) => nsm.attestation(untyped))).toEqual(MUST_NOT_BE_SENT);
  });

  it('an extension is as long as a request has room for, and no longer', async () => {
    const room =
      NSM_REQUEST_MAX_SIZE - encodeRequest({ name: 'ExtendPCR', fields: new Map([['index', 16]]) }).length - 8;
    const longest = await sentBy((nsm) => nsm.extendPcr(16, large(room)));
    expect(longest.length).toBeLessThanOrEqual(NSM_REQUEST_MAX_SIZE);
    expect(longest.length).toBeGreaterThan(NSM_REQUEST_MAX_SIZE - 8);
    expect(await refusalOf((nsm) => nsm.extendPcr(16, large(room + 8)))).toEqual(MUST_NOT_BE_SENT);
  });

  it('a request of your own is as long as the driver takes, and no longer', async () => {
    const call = (nsm: Nsm) => nsm.request({ name: 'Later', fields: new Map([['data', large(NSM_REQUEST_MAX_SIZE)]]) });
    expect(await refusalOf(call)).toEqual(MUST_NOT_BE_SENT);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 60, Number.MAX_SAFE_INTEGER])('there are no %s random bytes', async (length) => {
    expect(await refusalOf((nsm) => nsm.getRandom(length))).toEqual(MUST_NOT_BE_SENT);
  });

  it.each([0, -1, Number.NaN, 2 ** 40])('a deadline of %s ms is none', async (timeout) => {
    expect(await refusalOf((nsm) => nsm.describeNsm({ timeout }))).toEqual(MUST_NOT_BE_SENT);
  });
});

interface WireVectors {
  requests: { name: string; args: Record<string, number | string | null> | null; hex: string }[];
}

const vectors = process.env['NITRO_VECTORS'];

describe.skipIf(vectors === undefined)('the official library (set NITRO_VECTORS to the folder of vectors)', () => {
  it('writes the same bytes for every request', () => {
    const { requests }: WireVectors = JSON.parse(readFileSync(join(vectors ?? '', 'nsm/wire-vectors.json'), 'utf8'));
    for (const { name, args, hex } of requests) {
      const value = (argument: number | string | null) =>
        typeof argument === 'string' ? decodeHex(argument) : argument;
      const fields = Object.entries(args ?? {}).map(([key, argument]) => [key, value(argument)] as const);
      expect(encodeHex(encodeRequest(args === null ? { name } : { name, fields: new Map(fields) })), name).toBe(hex);
    }
    expect(requests.length).toBeGreaterThan(6);
  });
});
