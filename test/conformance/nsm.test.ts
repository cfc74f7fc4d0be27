import { createHash } from 'node:crypto';
import type { CborInput, CborMap, CborValue } from '@nitro-enclaves/core';
import { decodeCbor, encodeCbor } from '@nitro-enclaves/core';
import { createNitroPki, EmulatedNsm } from '@nitro-enclaves/emulator';
import type { NsmDevice } from '@nitro-enclaves/nsm';
import { NSM_CONFORMANCE } from '@nitro-enclaves/nsm/conformance';
import { beforeAll, describe, expect, it } from 'vitest';

const INSTANCE_ID = 'i-1234567890abcdef0';
const IDENTITY = {
  instanceId: INSTANCE_ID,
  moduleId: `${INSTANCE_ID}-enc1234567890abcdef`,
  measurements: { PCR0: '01'.repeat(48), PCR1: '02'.repeat(48), PCR2: '03'.repeat(48) },
};

let createGoodDevice: () => NsmDevice;

beforeAll(async () => {
  const pki = await createNitroPki({ seed: 'conformance' });
  createGoodDevice = () => new EmulatedNsm({ pki, identity: IDENTITY });
});

function map(object: Readonly<Record<string, CborInput>>): ReadonlyMap<string, CborInput> {
  return new Map(Object.entries(object));
}

/** Name of a request, and its fields if it has any. */
function read(bytes: Uint8Array): { name: string; fields: CborMap } {
  const request = decodeCbor(bytes);
  if (!(request instanceof Map)) return { name: String(request), fields: new Map() };
  const [[name, fields] = ['', undefined]] = request;
  return { name: String(name), fields: fields instanceof Map ? fields : new Map() };
}

/** What a faulty device does with a request; `undefined`: what a good one does. */
type Fault = (request: ReturnType<typeof read>, good: NsmDevice) => Uint8Array | Promise<Uint8Array> | undefined;

function faulty(fault: Fault): NsmDevice {
  const good = createGoodDevice();
  return {
    request: async (bytes, options) => {
      const isRequest = bytes.length <= 4096 && bytes.length > 8;
      return (isRequest ? await fault(read(bytes), good) : undefined) ?? good.request(bytes, options);
    },
    close: () => good.close(),
  };
}

/** Names of the tests that a device fails, run in order on one and the same. */
async function failures(device: NsmDevice): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, run } of NSM_CONFORMANCE) {
    await run(device).catch(() => failed.push(name));
  }
  return failed;
}

async function changed(
  response: Promise<Uint8Array>,
  name: string,
  fields: Readonly<Record<string, CborValue>>,
): Promise<Uint8Array> {
  const decoded = decodeCbor(await response);
  const inner = decoded instanceof Map ? decoded.get(name) : undefined;
  const entries = inner instanceof Map ? [...inner] : [];
  return encodeCbor(new Map([[name, new Map([...entries, ...Object.entries(fields)])]]));
}

describe('the conformance suite', () => {
  it('holds on a device that stays in use, and on a fresh one for each test', async () => {
    expect(await failures(createGoodDevice())).toEqual([]);
    for (const { name, run } of NSM_CONFORMANCE) await expect(run(createGoodDevice()), name).resolves.toBeUndefined();
  });

  const FAULTS: readonly [string, Fault, RegExp][] = [
    [
      'says that it has other PCRs',
      ({ name }, good) =>
        name === 'DescribeNSM' ? changed(good.request(encodeCbor(name)), name, { max_pcrs: 16 }) : undefined,
      /^DescribeNSM states 32 PCRs/,
    ],
    [
      'answers LockPCR with a map',
      ({ name }) => (name === 'LockPCR' ? encodeCbor(map({ LockPCR: map({}) })) : undefined),
      /^LockPCR is answered with the bare text/,
    ],
    [
      'only says that it locks',
      ({ name, fields }) =>
        name === 'LockPCR' && Number(fields.get('index')) > 15 ? encodeCbor('LockPCR') : undefined,
      /^a locked PCR keeps its value/,
    ],
    [
      'only says that it locks ranges',
      ({ name, fields }) =>
        name === 'LockPCRs' && Number(fields.get('range')) < 33 ? encodeCbor('LockPCRs') : undefined,
      /^LockPCRs locks every PCR below its range/,
    ],
    [
      'forgets what a PCR held before',
      ({ name, fields }, good) => {
        const data = fields.get('data');
        if (name !== 'ExtendPCR' || fields.get('index') !== 17 || !(data instanceof Uint8Array)) return undefined;
        const value = createHash('sha384').update(new Uint8Array(48)).update(data).digest();
        return good
          .request(encodeCbor(map({ ExtendPCR: fields })))
          .then(() => encodeCbor(map({ ExtendPCR: map({ data: value }) })));
      },
      /^ExtendPCR makes it the SHA-384/,
    ],
    [
      'confuses user data and nonce',
      ({ name, fields }, good) => {
        if (name !== 'Attestation') return undefined;
        const swapped = {
          user_data: fields.get('nonce'),
          nonce: fields.get('user_data'),
          public_key: fields.get('public_key'),
        };
        return good.request(encodeCbor(map({ Attestation: map(swapped) })));
      },
      /each in its own place$/,
    ],
    [
      'takes only 512 bytes of a nonce',
      ({ name, fields }) => {
        const nonce = fields.get('nonce');
        const tooLong = name === 'Attestation' && nonce instanceof Uint8Array && nonce.length > 512;
        return tooLong ? encodeCbor(map({ Error: 'InputTooLarge' })) : undefined;
      },
      /1024 bytes, all three at once$/,
    ],
    [
      'gives the same random bytes again and again',
      ({ name }) =>
        name === 'GetRandom' ? encodeCbor(map({ GetRandom: map({ random: new Uint8Array(256) }) })) : undefined,
      /never the same twice$/,
    ],
    [
      'gives more random bytes than it may',
      ({ name }) => {
        const random = Uint8Array.from({ length: 512 }, () => Math.floor(Math.random() * 256));
        return name === 'GetRandom' ? encodeCbor(map({ GetRandom: map({ random }) })) : undefined;
      },
      /^GetRandom gives 1 to 256 bytes/,
    ],
    [
      'takes an unknown request for a known one',
      ({ name }) => (name === 'DescribeMoon' ? encodeCbor('DescribeMoon') : undefined),
      /does not know is an invalid operation$/,
    ],
    [
      'has PCRs that it does not have',
      ({ name, fields }) =>
        name === 'DescribePCR' && fields.get('index') === 32
          ? encodeCbor(map({ DescribePCR: map({ lock: false, data: new Uint8Array(48) }) }))
          : undefined,
      /^a PCR that the module does not have/,
    ],
  ];

  it.each(FAULTS)('fails a device that %s', async (_, fault, expected) => {
    expect(await failures(faulty(fault))).toContainEqual(expect.stringMatching(expected));
  });

  it('fails a device that takes requests of any size', async () => {
    const good = createGoodDevice();
    const device: NsmDevice = {
      request: async (bytes, options) => (bytes.length > 4096 ? encodeCbor('LockPCR') : good.request(bytes, options)),
      close: () => good.close(),
    };
    expect(await failures(device)).toContainEqual(expect.stringMatching(/^a request longer than the driver takes/));
  });

  it('fails a device that pays no attention to signals', async () => {
    const good = createGoodDevice();
    const device: NsmDevice = { request: (bytes) => good.request(bytes), close: () => good.close() };
    expect(await failures(device)).toContainEqual(expect.stringMatching(/^a signal that has fired/));
  });

  it('fails a device that goes on when it is closed', async () => {
    const good = createGoodDevice();
    const device: NsmDevice = { request: (bytes, options) => good.request(bytes, options), close: async () => {} };
    expect(await failures(device)).toContainEqual(expect.stringMatching(/^a closed device rejects/));
  });

  it('fails a device that confuses requests made at once', async () => {
    const good = createGoodDevice();
    let last: Promise<Uint8Array> | undefined;
    const device: NsmDevice = {
      request: (bytes, options) => {
        // Whoever asks while another waits gets the other's answer.
        const answer = last ?? good.request(bytes, options);
        last = answer;
        return answer.finally(() => {
          last = undefined;
        });
      },
      close: () => good.close(),
    };
    expect(await failures(device)).toContainEqual(expect.stringMatching(/^requests made all at once/));
  });
});
