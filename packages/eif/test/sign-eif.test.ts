import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concatBytes, encodeCbor, encodeCoseSign1, sigStructure } from '@nitro-enclaves/core';
import type { EifSigningRequest } from '@nitro-enclaves/eif';
import { describeEif, measureEif, pcr8FromCertificate, readEif, signEif, verifyEif } from '@nitro-enclaves/eif';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verifyEif as verifyInBrowser } from '../src/index.ts';
import type { Signer } from './openssl.ts';
import { createSigner } from './openssl.ts';
import { cmdline, kernel, ramdisk, SECTIONS, syntheticImage, TYPE } from './synthetic-image.ts';

let keys = '';
let folder = '';
let path = '';
let p384: Signer;
const CURVES = [
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
] as const;

beforeAll(async () => {
  keys = await mkdtemp(join(tmpdir(), 'eif-keys-'));
  p384 = await createSigner(keys, 'secp384r1', 1);
});
afterAll(() => rm(keys, { recursive: true }));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eif-sign-'));
  path = join(folder, 'image.eif');
  await writeFile(path, syntheticImage());
});
afterEach(() => rm(folder, { recursive: true }));

describe('signEif', () => {
  it.each(CURVES)(
    'signs with a %s key as %s, with certificates of version 1 and 3, and the image verifies',
    async (curve, name) => {
      for (const version of [1, 3] as const) {
        const signer = await createSigner(keys, curve, version);
        const pcrs = await signEif(path, signer);
        expect(pcrs).toEqual({
          ...(await measureEif(syntheticImage())),
          PCR8: pcr8FromCertificate(signer.certificate),
        });
        expect(await measureEif(path)).toEqual(pcrs);
        expect(await verifyEif(path)).toMatchObject({ algorithm: name, pcrs });
        expect(await verifyInBrowser(new Uint8Array(await readFile(path)))).toMatchObject({ algorithm: name, pcrs });
      }
    },
  );

  it('signs with a key that stays elsewhere and sees only what is to be signed', async () => {
    const requests: EifSigningRequest[] = [];
    const key = createPrivateKey(p384.key);
    await signEif(path, {
      certificate: p384.certificate,
      key: async (request) => {
        requests.push(request);
        return sign('sha384', request.message, key);
      },
    });
    await verifyEif(path);
    expect(requests.map(({ algorithm, digest }) => [algorithm, digest.length])).toEqual([['ES384', 48]]);
  });

  it('replaces a signature by one of another length, and keeps table and headers in step', async () => {
    await signEif(path, await createSigner(keys, 'secp521r1', 3));
    await signEif(path, await createSigner(keys, 'prime256v1', 1));
    const { sections, header } = await readEif(path);
    expect(sections.map(({ type }) => type)).toEqual([
      'kernel',
      'cmdline',
      'metadata',
      'ramdisk',
      'ramdisk',
      'signature',
    ]);
    expect(header.sectionSizes.at(-1)).toBe(sections.at(-1)?.size);
    await verifyEif(path);
  });

  it('keeps everything else of the image, byte for byte, and the file’s mode', async () => {
    const image = syntheticImage(SECTIONS, { defaultMemory: 5n, defaultCpus: 7n, flags: 1 });
    await writeFile(path, image);
    await chmod(path, 0o600);
    await signEif(path, p384);
    const signed = await readFile(path);
    expect(new Uint8Array(signed.subarray(548, image.length))).toEqual(image.subarray(548));
    const { header } = await readEif(path);
    expect(header).toMatchObject({ architecture: 'aarch64', defaultMemory: 5, defaultCpus: 7 });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('leaves the unsigned image alone when it is given another place for the signed one', async () => {
    const output = join(folder, 'signed.eif');
    await signEif(path, { ...p384, output });
    expect(new Uint8Array(await readFile(path))).toEqual(syntheticImage());
    await verifyEif(output);
  });

  it('signs an image of version 3 and none of version 2', async () => {
    const sections = [kernel(), cmdline(), ramdisk()];
    await writeFile(path, syntheticImage(sections, { version: 3 }));
    await signEif(path, p384);
    await verifyEif(path);
    await writeFile(path, syntheticImage(sections, { version: 2 }));
    await expect(signEif(path, p384)).rejects.toMatchObject({ code: 'EIF_SECTION_TYPE_VERSION' });
  });

  const rsa = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

  it.each([
    ['a key that is not the certificate’s', () => ({ ...p384, key: other }), 'EIF_SIGNING_KEY_MISMATCH'],
    ['a key on another curve', () => ({ ...p384, key: p256 }), 'EIF_SIGNING_KEY_MISMATCH'],
    [
      'a signature of something else',
      () => ({ ...p384, key: () => sign('sha384', Buffer.from('x'), p384.key) }),
      'EIF_SIGNING_KEY_MISMATCH',
    ],
    ['an RSA key', () => ({ ...p384, key: rsa.privateKey }), 'EIF_SIGNING_KEY'],
    ['a public key', () => ({ ...p384, key: rsa.publicKey }), 'EIF_SIGNING_KEY'],
    ['an answer that is no signature', () => ({ ...p384, key: () => new Uint8Array(96) }), 'EIF_SIGNING_KEY'],
    [
      'a certificate that has expired',
      () => ({ ...p384, at: new Date(Date.now() + 21 * 86_400_000) }),
      'EIF_CERTIFICATE_EXPIRED',
    ],
    [
      'a certificate of tomorrow',
      () => ({ ...p384, at: new Date(Date.now() - 86_400_000) }),
      'EIF_CERTIFICATE_NOT_YET_VALID',
    ],
    ['no certificate', () => ({ ...p384, certificate: p384.key }), 'EIF_CERTIFICATE_PEM'],
    [
      'a certificate file that is too long',
      () => ({ ...p384, certificate: p384.certificate + ' '.repeat(20_000) }),
      'EIF_SIGNATURE_TOO_LARGE',
    ],
  ])('refuses %s and leaves the image as it was', async (_, options, code) => {
    await expect(signEif(path, options())).rejects.toMatchObject({ code });
    expect(new Uint8Array(await readFile(path))).toEqual(syntheticImage());
    expect(await readdir(folder)).toEqual(['image.eif']);
  });

  it('refuses a certificate whose key is on another curve', async () => {
    const signer = await createSigner(keys, 'secp256k1', 3);
    await expect(signEif(path, signer)).rejects.toMatchObject({ code: 'EIF_CERTIFICATE_KEY' });
  });
});

/** What a forged signature section is made of; by default of nothing but right parts. */
interface Forgery {
  readonly algorithm?: number;
  readonly header?: Uint8Array;
  readonly unprotected?: boolean;
  readonly register?: number;
  readonly value?: readonly number[];
  readonly payload?: Uint8Array;
  readonly key?: string;
  readonly hash?: string;
  readonly cose?: Uint8Array;
  readonly certificate?: string;
}

async function forge(forgery: Forgery): Promise<Uint8Array> {
  const pcr0 = [...Buffer.from((await measureEif(syntheticImage())).PCR0, 'hex')];
  const protectedHeader = forgery.header ?? encodeCbor(new Map([[1, forgery.algorithm ?? -35]]));
  const fields = new Map<string, number | readonly number[]>([
    ['register_index', forgery.register ?? 0],
    ['register_value', forgery.value ?? pcr0],
  ]);
  const payload = forgery.payload ?? encodeCbor(fields);
  const signature = sign(forgery.hash ?? 'sha384', sigStructure({ protectedHeader, payload }), {
    key: forgery.key ?? p384.key,
    dsaEncoding: 'ieee-p1363',
  });
  const unprotected = encodeCbor([protectedHeader, new Map([[4, 'kid']]), payload, new Uint8Array(signature)]);
  const message = encodeCoseSign1({ protectedHeader, payload, signature: new Uint8Array(signature) });
  const cose = forgery.cose ?? (forgery.unprotected ? unprotected : message);
  const certificate = [...Buffer.from(forgery.certificate ?? p384.certificate)];
  const entry = new Map([
    ['signing_certificate', certificate],
    ['signature', [...cose]],
  ]);
  return syntheticImage([...SECTIONS, { type: TYPE.signature, data: encodeCbor([entry]) }]);
}

describe('verifyEif', () => {
  it('accepts what is put together here when nothing about it is wrong', async () => {
    expect(await verifyEif(await forge({}))).toMatchObject({ algorithm: 'ES384' });
  });

  it.each<readonly [string, () => Forgery, string]>([
    ['a signature over another PCR0', () => ({ value: new Array<number>(48).fill(1) }), 'EIF_SIGNATURE_PCR0'],
    ['a PCR0 that is cut short', () => ({ value: [1, 2, 3] }), 'EIF_SIGNATURE_PCR0'],
    ['a PCR0 of more than bytes', () => ({ value: [256] }), 'EIF_SIGNATURE_PAYLOAD'],
    ['another register', () => ({ register: 1 }), 'EIF_SIGNATURE_REGISTER'],
    ['a payload that is no map', () => ({ payload: encodeCbor([1]) }), 'EIF_SIGNATURE_PAYLOAD'],
    ['a payload that is no CBOR', () => ({ payload: Uint8Array.of(0xff) }), 'EIF_SIGNATURE_PAYLOAD'],
    ['an algorithm of another curve', () => ({ algorithm: -7 }), 'EIF_CERTIFICATE_KEY'],
    ['an algorithm that nobody knows', () => ({ algorithm: -8 }), 'EIF_SIGNATURE_ALGORITHM'],
    ['no algorithm', () => ({ header: new Uint8Array(0) }), 'EIF_SIGNATURE_ALGORITHM'],
    [
      'a second protected header',
      () => ({
        header: encodeCbor(
          new Map([
            [1, -35],
            [2, 1],
          ]),
        ),
      }),
      'EIF_SIGNATURE_ALGORITHM',
    ],
    ['an unprotected header', () => ({ unprotected: true }), 'EIF_SIGNATURE_COSE'],
    [
      'a COSE_Sign1 with something behind',
      () => ({ cose: concatBytes(encodeCbor([]), Uint8Array.of(0)) }),
      'EIF_SIGNATURE_COSE',
    ],
    ['another hash', () => ({ hash: 'sha256' }), 'EIF_SIGNATURE'],
    ['a certificate that is none', () => ({ certificate: 'none' }), 'EIF_CERTIFICATE_PEM'],
  ])('refuses %s', async (_, forgery, code) => {
    const image = await forge(forgery());
    await expect(verifyEif(image)).rejects.toMatchObject({ code });
    await expect(verifyInBrowser(image)).rejects.toMatchObject({ code });
  });

  it('refuses the signature of another key', async () => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-384',
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    await expect(verifyEif(await forge({ key: privateKey }))).rejects.toMatchObject({ code: 'EIF_SIGNATURE' });
  });

  it('refuses a signature that was taken from another image', async () => {
    await signEif(path, p384);
    const signed = await readFile(path);
    const section = signed.subarray(syntheticImage().length + 12);
    const image = syntheticImage([kernel('another'), ...SECTIONS.slice(1), { type: TYPE.signature, data: section }]);
    await expect(verifyEif(image)).rejects.toMatchObject({ code: 'EIF_SIGNATURE_PCR0' });
  });

  it('refuses an image without a signature', async () => {
    await expect(verifyEif(path)).rejects.toMatchObject({ code: 'EIF_SIGNATURE_MISSING' });
  });

  it.each([
    [-1, 'EIF_CERTIFICATE_NOT_YET_VALID'],
    [21, 'EIF_CERTIFICATE_EXPIRED'],
  ])('refuses a certificate %i days from now: %s', async (days, code) => {
    await signEif(path, p384);
    const at = new Date(Date.now() + days * 86_400_000);
    await expect(verifyEif(path, { at })).rejects.toMatchObject({ code });
  });
});

describe('describeEif', () => {
  it('tells of a signature that does not hold and of a wrong CRC, as nitro-cli does', async () => {
    const forged = await forge({ value: new Array<number>(48).fill(1) });
    expect(await describeEif(forged)).toMatchObject({ IsSigned: true, SignatureCheck: false, CheckCRC: true });
    expect(await describeEif(syntheticImage(SECTIONS, { crc: 7 }))).toMatchObject({ CheckCRC: false });
  });
});
