import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CborInput } from '@nitro-enclaves/core';
import { concatBytes, decodeHex, encodeCbor } from '@nitro-enclaves/core';
import type { NsmErrorCode } from '@nitro-enclaves/nsm';
import { Nsm, NsmError } from '@nitro-enclaves/nsm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { answering, map, ScriptedDevice } from './scripted-device.ts';

const DESCRIPTION = {
  version_major: 1,
  version_minor: 2,
  version_patch: 3,
  module_id: 'i-1234567890abcdef0-enc1234567890abcde',
  max_pcrs: 32,
  locked_pcrs: [0, 1, 2],
  digest: 'SHA384',
};
const PCR = new Uint8Array(48).fill(7);

/** Every call, by the name of its request, with a good response's fields (`undefined`: it has none). */
const CALLS: Readonly<Record<string, { call: (nsm: Nsm) => Promise<unknown>; fields?: Record<string, CborInput> }>> = {
  DescribeNSM: { call: (nsm) => nsm.describeNsm(), fields: DESCRIPTION },
  DescribePCR: { call: (nsm) => nsm.describePcr(16), fields: { lock: false, data: PCR } },
  ExtendPCR: { call: (nsm) => nsm.extendPcr(16, PCR), fields: { data: PCR } },
  LockPCR: { call: (nsm) => nsm.lockPcr(16) },
  LockPCRs: { call: (nsm) => nsm.lockPcrs(16) },
  Attestation: { call: (nsm) => nsm.attestation(), fields: { document: Uint8Array.of(0x84) } },
  GetRandom: { call: (nsm) => nsm.getRandom(4), fields: { random: Uint8Array.of(1, 2, 3, 4) } },
};
const NAMES = Object.keys(CALLS);

function responseTo(name: string, fields = CALLS[name]?.fields): CborInput {
  return fields === undefined ? name : map({ [name]: map(fields) });
}

function ask(name: string, device: ScriptedDevice): Promise<unknown> {
  const entry = CALLS[name];
  if (entry === undefined) throw new Error(`expected one of ${NAMES.join(', ')}, found ${name}`);
  return entry.call(new Nsm(device));
}

async function errorOf(promise: Promise<unknown>): Promise<NsmError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof NsmError)) throw new Error(`expected an NsmError, found ${String(error)}`);
  return error;
}

describe('responses', () => {
  it('describe the module', async () => {
    expect(await ask('DescribeNSM', answering(responseTo('DescribeNSM')))).toEqual({
      version: { major: 1, minor: 2, patch: 3 },
      moduleId: DESCRIPTION.module_id,
      maxPcrs: 32,
      lockedPcrs: [0, 1, 2],
      digest: 'SHA384',
    });
  });

  it('describe a PCR', async () => {
    const locked = map({ DescribePCR: map({ lock: true, data: PCR }) });
    expect(await ask('DescribePCR', answering(locked))).toEqual({ locked: true, value: PCR });
    expect(await ask('DescribePCR', answering(responseTo('DescribePCR')))).toEqual({ locked: false, value: PCR });
  });

  it('give the new value of an extended PCR, a document, random bytes', async () => {
    expect(await ask('ExtendPCR', answering(responseTo('ExtendPCR')))).toEqual(PCR);
    expect(await ask('Attestation', answering(responseTo('Attestation')))).toEqual(Uint8Array.of(0x84));
    expect(await ask('GetRandom', answering(responseTo('GetRandom')))).toEqual(Uint8Array.of(1, 2, 3, 4));
  });

  it.each(['LockPCR', 'LockPCRs'])('confirm %s with its bare name', async (name) => {
    expect(await ask(name, answering(name))).toBeUndefined();
  });

  it('give locked PCRs in ascending order, in whatever order they came', async () => {
    const fields = { ...DESCRIPTION, locked_pcrs: [17, 0, 300, 4] };
    const description = await new Nsm(answering(map({ DescribeNSM: map(fields) }))).describeNsm();
    expect(description.lockedPcrs).toEqual([0, 4, 17, 300]);
  });

  it.each(NAMES)('to %s may have their fields in any order, more of them, and maps without a length', async (name) => {
    const fields = CALLS[name]?.fields;
    if (fields === undefined) return;
    const reversed = Object.entries({ ...fields, added_later: 'by AWS' }).reverse();
    const entries = reversed.flatMap(([key, value]) => [encodeCbor(key), encodeCbor(value)]);
    const body = concatBytes(Uint8Array.of(0xbf), ...entries, Uint8Array.of(0xff));
    const indefinite = concatBytes(Uint8Array.of(0xa1), encodeCbor(name), body);
    expect(await ask(name, new ScriptedDevice(() => indefinite))).toEqual(await ask(name, answering(responseTo(name))));
  });
});

describe('errors of the module', () => {
  const CODES: readonly [string, NsmErrorCode][] = [
    ['InvalidArgument', 'NSM_INVALID_ARGUMENT'],
    ['InvalidIndex', 'NSM_INVALID_INDEX'],
    ['InvalidResponse', 'NSM_INVALID_RESPONSE'],
    ['ReadOnlyIndex', 'NSM_READ_ONLY_INDEX'],
    ['InvalidOperation', 'NSM_INVALID_OPERATION'],
    ['BufferTooSmall', 'NSM_BUFFER_TOO_SMALL'],
    ['InputTooLarge', 'NSM_INPUT_TOO_LARGE'],
    ['InternalError', 'NSM_INTERNAL_ERROR'],
    ['Success', 'NSM_UNKNOWN_ERROR'],
    ['SomethingNew', 'NSM_UNKNOWN_ERROR'],
    ['toString', 'NSM_UNKNOWN_ERROR'],
  ];

  it.each(CODES)('%s is %s, of every request', async (name, code) => {
    for (const request of NAMES) {
      const error = await errorOf(ask(request, answering(map({ Error: name }))));
      expect({ code: error.code, moduleError: error.moduleError }).toEqual({ code, moduleError: name });
      expect(error.message).toContain(request);
    }
  });

  it('that are very long do not make very long messages', async () => {
    const error = await errorOf(ask('LockPCR', answering(map({ Error: 'x'.repeat(5000) }))));
    expect(error.message.length).toBeLessThan(200);
  });
});

describe('responses of another form are refused', () => {
  const MALFORMED: Readonly<Record<string, CborInput>> = {
    'a number': 1,
    null: null,
    'an empty array': [],
    'an empty map': map({}),
    'an error that is no text': map({ Error: 7 }),
    'an error without its map': 'Error',
    'a name nobody asked for': 'DescribeMoon',
  };

  it.each(Object.entries(MALFORMED))('%s', async (_, value) => {
    for (const name of NAMES) {
      expect((await errorOf(ask(name, answering(value)))).code, name).toBe('NSM_MALFORMED_RESPONSE');
    }
  });

  it('the response to any other request', async () => {
    for (const asked of NAMES) {
      for (const answered of NAMES.filter((name) => name !== asked)) {
        const error = await errorOf(ask(asked, answering(responseTo(answered))));
        expect(error.code, `${asked}: ${answered}`).toBe('NSM_MALFORMED_RESPONSE');
      }
    }
  });

  it('two responses in one', async () => {
    for (const name of NAMES) {
      const two = map({ [name]: map(CALLS[name]?.fields ?? {}), Error: 'InternalError' });
      expect((await errorOf(ask(name, answering(two)))).code, name).toBe('NSM_MALFORMED_RESPONSE');
    }
  });

  it.each(NAMES)('to %s: a field missing, of every other type, or no fields at all', async (name) => {
    const fields = CALLS[name]?.fields;
    if (fields === undefined) {
      const withFields = map({ [name]: map({ index: 1 }) });
      expect((await errorOf(ask(name, answering(withFields)))).code).toBe('NSM_MALFORMED_RESPONSE');
      return;
    }
    expect((await errorOf(ask(name, answering(name)))).code).toBe('NSM_MALFORMED_RESPONSE');
    for (const field of Object.keys(fields)) {
      for (const wrong of [undefined, null, -1, 65_536, ['x'], map({}), ...(name === 'DescribePCR' ? [1] : [false])]) {
        const error = await errorOf(ask(name, answering(responseTo(name, { ...fields, [field]: wrong }))));
        expect({ code: error.code, path: error.path }).toEqual({
          code: 'NSM_MALFORMED_RESPONSE',
          path: `$.${name}.${field}`,
        });
      }
    }
  });

  it('a digest algorithm that no module has', async () => {
    const error = await errorOf(
      ask('DescribeNSM', answering(responseTo('DescribeNSM', { ...DESCRIPTION, digest: 'MD5' }))),
    );
    expect(error.path).toBe('$.DescribeNSM.digest');
  });

  it('random bytes without a byte: asked for ever again they would never be enough', async () => {
    const empty = map({ GetRandom: map({ random: new Uint8Array() }) });
    expect((await errorOf(ask('GetRandom', answering(empty)))).code).toBe('NSM_MALFORMED_RESPONSE');
  });

  it('a response cut off at any place, as the driver does with one that is too long', async () => {
    for (const name of NAMES) {
      const whole = encodeCbor(responseTo(name));
      for (let length = 0; length < whole.length; length += 1) {
        const error = await errorOf(ask(name, new ScriptedDevice(() => whole.slice(0, length))));
        expect(error.code, `${name} of ${length} bytes`).toBe('NSM_MALFORMED_RESPONSE');
      }
    }
  });

  it('a response longer than any the driver gives', async () => {
    const fields = { document: new Uint8Array(0x3000) };
    expect((await errorOf(ask('Attestation', answering(responseTo('Attestation', fields))))).code).toBe(
      'NSM_MALFORMED_RESPONSE',
    );
  });

  it('whatever the bytes, a call ends with a result or an NsmError', async () => {
    const spoiled = fc
      .tuple(fc.constantFrom(...NAMES), fc.nat(), fc.uint8Array({ maxLength: 4 }))
      .map(([name, at, bytes]) => {
        const good = encodeCbor(responseTo(name));
        const start = at % (good.length + 1);
        return { name, bytes: concatBytes(good.slice(0, start), bytes, good.slice(start + bytes.length)) };
      });
    const random = fc.record({ name: fc.constantFrom(...NAMES), bytes: fc.uint8Array({ maxLength: 64 }) });
    await fc.assert(
      fc.asyncProperty(fc.oneof(spoiled, random), async ({ name, bytes }) => {
        const reason = await ask(name, new ScriptedDevice(() => bytes.slice())).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (reason !== undefined) expect(reason).toBeInstanceOf(NsmError);
      }),
      { numRuns: 2000 },
    );
  });
});

interface WireVectors {
  responses: { name: string; value: unknown; hex: string }[];
}

const vectors = process.env['NITRO_VECTORS'];

describe.skipIf(vectors === undefined)('the official library (set NITRO_VECTORS to the folder of vectors)', () => {
  const { responses }: WireVectors =
    vectors === undefined
      ? { responses: [] }
      : JSON.parse(readFileSync(join(vectors, 'nsm/wire-vectors.json'), 'utf8'));

  it.each(responses)('is understood when it answers $name', async ({ name, hex }) => {
    const device = new ScriptedDevice(() => decodeHex(hex));
    if (name === 'Error') {
      const errors = await Promise.all(NAMES.map((request) => errorOf(ask(request, device))));
      expect(errors.every(({ moduleError }) => moduleError !== undefined)).toBe(true);
      return;
    }
    await expect(ask(name, device)).resolves.not.toBeNull();
  });
});
