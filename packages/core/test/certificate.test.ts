import { X509Certificate as NodeCertificate, verify, webcrypto } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CborMap, Certificate, CertificateErrorCode, DerErrorCode, KeyUsage } from '@nitro-enclaves/core';
import {
  authorityKeyIdentifier,
  basicConstraints,
  bytesEqual,
  CertificateError,
  concatBytes,
  DerError,
  decodeCbor,
  decodeCoseSign1,
  decodeDistinguishedName,
  decodeHex,
  EXTENSION,
  encodeHex,
  keyUsage,
  parseCertificate,
  subjectKeyIdentifier,
} from '@nitro-enclaves/core';
import { beforeAll, describe, expect, it } from 'vitest';
import * as x509 from './x509.ts';

const P384 = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };
const RSA = { name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' };

async function createCertificate(
  options: Partial<x509.X509CertificateCreateSelfSignedParams> = {},
  algorithm: typeof P384 | typeof RSA = P384,
): Promise<Uint8Array> {
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: '01',
      name: 'C=US, O=Example, CN=example.invalid',
      notBefore: new Date('2026-01-01T00:00:00Z'),
      notAfter: new Date('2026-01-02T00:00:00Z'),
      signingAlgorithm: algorithm,
      keys,
      extensions: [new x509.BasicConstraintsExtension(true)],
      ...options,
    },
    webcrypto as Crypto,
  );
  return new Uint8Array(certificate.rawData);
}

async function fullExtensions(): Promise<x509.Extension[]> {
  const identifier = encodeHex(Uint8Array.from({ length: 20 }, (_, index) => index));
  return [
    new x509.BasicConstraintsExtension(true, 2, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    new x509.SubjectKeyIdentifierExtension(identifier, false),
    new x509.AuthorityKeyIdentifierExtension(identifier, false),
    new x509.CRLDistributionPointsExtension(['http://crl.example.invalid/a.crl']),
  ];
}

/** The same bytes with one part of equal or other length in its place, and every length around it put right. */
function replaced(encoded: Uint8Array, part: string, by: string): Uint8Array {
  const hex = encodeHex(encoded);
  const at = hex.indexOf(part);
  if (at < 0 || hex.indexOf(part, at + 1) >= 0) throw new Error(`expected ${part} once`);
  return rewriteLengths(
    decodeHex(hex.slice(0, at) + by + hex.slice(at + part.length)),
    (by.length - part.length) / 2,
    at / 2,
  );
}

/** Adds `growth` to the length of every constructed element that spans the byte `at`; for lengths of two bytes only. */
function rewriteLengths(bytes: Uint8Array, growth: number, at: number): Uint8Array {
  let offset = 0;
  while (offset < at && growth !== 0) {
    const size = (bytes[offset + 1] ?? 0) & 0x80 ? (bytes[offset + 1] ?? 0) & 0x7f : 0;
    let length = size === 0 ? (bytes[offset + 1] ?? 0) : 0;
    for (let index = 0; index < size; index += 1) length = length * 256 + (bytes[offset + 2 + index] ?? 0);
    const content = offset + 2 + size;
    const spans = content + length > at && content <= at;
    if (!spans) {
      offset = content + length;
      continue;
    }
    const grown = length + growth;
    if (size === 0) bytes[offset + 1] = grown;
    for (let index = size; index > 0; index -= 1) bytes[offset + 1 + index] = (grown >> (8 * (size - index))) & 0xff;
    if (((bytes[offset] ?? 0) & 0x20) === 0) break;
    offset = content;
  }
  return bytes;
}

function codeOf(bytes: Uint8Array, read: (certificate: Certificate) => unknown = () => undefined): string | undefined {
  try {
    read(parseCertificate(bytes));
    return undefined;
  } catch (error) {
    if (error instanceof CertificateError || error instanceof DerError) return error.code;
    throw error;
  }
}

/** What Node and @peculiar/x509 say of the same certificate must be what ours says. */
function expectSameAsOracles(encoded: Uint8Array): void {
  const ours = parseCertificate(encoded);
  const node = new NodeCertificate(encoded);
  const peculiar = new x509.X509Certificate(encoded.slice());

  expect(BigInt(`0x${ours.serialNumber}`)).toBe(BigInt(`0x${node.serialNumber}`));
  expect(ours.notBefore).toBe(Date.parse(node.validFrom));
  expect(ours.notAfter).toBe(Date.parse(node.validTo));
  expect(ours.notBefore).toBe(peculiar.notBefore.getTime());
  expect(ours.notAfter).toBe(peculiar.notAfter.getTime());
  expect(encodeHex(ours.subjectPublicKeyInfo)).toBe(
    node.publicKey.export({ format: 'der', type: 'spki' }).toString('hex'),
  );
  expect(ours.subjectPublicKeyInfo).toEqual(new Uint8Array(peculiar.publicKey.rawData));
  expect(ours.signature).toEqual(new Uint8Array(peculiar.signature));
  expect(ours.subject).toEqual(new Uint8Array(peculiar.subjectName.toArrayBuffer()));
  expect(ours.issuer).toEqual(new Uint8Array(peculiar.issuerName.toArrayBuffer()));
  expect(
    decodeDistinguishedName(ours.subject)
      .map(({ type, value }) => `${type}=${value}`)
      .join('\n'),
  ).toBe(node.subject);
  expect([...ours.extensions.keys()]).toEqual(peculiar.extensions.map(({ type }) => type));
  for (const { type, critical, value } of peculiar.extensions) {
    expect(ours.extensions.get(type)).toEqual({ critical, value: new Uint8Array(value) });
  }
  expectSameExtensions(ours, node, peculiar);
}

function expectSameExtensions(ours: Certificate, node: NodeCertificate, peculiar: x509.X509Certificate): void {
  const constraints = peculiar.getExtension(x509.BasicConstraintsExtension);
  expect(basicConstraints(ours)?.isCa ?? false).toBe(node.ca);
  expect(basicConstraints(ours)?.isCa).toBe(constraints?.ca);
  expect(basicConstraints(ours)?.pathLength).toBe(constraints?.pathLength);
  const usages = peculiar.getExtension(x509.KeyUsagesExtension)?.usages;
  expect(keyUsage(ours) === undefined).toBe(usages === undefined);
  for (const [flag, name] of USAGE_FLAGS) expect(keyUsage(ours)?.has(name) ?? false).toBe(((usages ?? 0) & flag) !== 0);
  const subject = peculiar.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  expect(subject).toBe(encodeOptional(subjectKeyIdentifier(ours)));
  const authority = peculiar.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId;
  expect(authority).toBe(encodeOptional(authorityKeyIdentifier(ours)));
}

const encodeOptional = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : encodeHex(bytes));

const USAGE_FLAGS: readonly [x509.KeyUsageFlags, KeyUsage][] = [
  [x509.KeyUsageFlags.digitalSignature, 'digitalSignature'],
  [x509.KeyUsageFlags.nonRepudiation, 'nonRepudiation'],
  [x509.KeyUsageFlags.keyEncipherment, 'keyEncipherment'],
  [x509.KeyUsageFlags.dataEncipherment, 'dataEncipherment'],
  [x509.KeyUsageFlags.keyAgreement, 'keyAgreement'],
  [x509.KeyUsageFlags.keyCertSign, 'keyCertSign'],
  [x509.KeyUsageFlags.cRLSign, 'cRLSign'],
  [x509.KeyUsageFlags.encipherOnly, 'encipherOnly'],
  [x509.KeyUsageFlags.decipherOnly, 'decipherOnly'],
];

describe("reading a certificate as Node's X509Certificate and @peculiar/x509 do", () => {
  it('with every extension that a path check reads', async () => {
    expectSameAsOracles(await createCertificate({ extensions: await fullExtensions() }));
  });

  it('with no extensions', async () => {
    const emptyList = await createCertificate({ extensions: [] });
    expectSameAsOracles(replaced(emptyList, 'a3023000', ''));
  });

  it('with an RSA key', async () => expectSameAsOracles(await createCertificate({}, RSA)));

  for (const [flag, name] of USAGE_FLAGS) {
    it(`with the key usage ${name}`, async () => {
      const certificate = await createCertificate({ extensions: [new x509.KeyUsagesExtension(flag, true)] });
      expectSameAsOracles(certificate);
      expect(keyUsage(parseCertificate(certificate))).toEqual(new Set([name]));
    });
  }

  for (const serialNumber of ['01', '7f', '0080', 'ff', '00ffffffffffffffffffffffffffffffff', '1234567890abcdef']) {
    it(`with the serial number ${serialNumber}`, async () =>
      expectSameAsOracles(await createCertificate({ serialNumber })));
  }

  it('valid from 1950 and until 9999', async () => {
    const notBefore = new Date('1950-01-01T00:00:00Z');
    for (const end of ['2049-12-31T23:59:59Z', '2050-01-01T00:00:00Z', '9999-12-31T23:59:59Z']) {
      expectSameAsOracles(await createCertificate({ notBefore, notAfter: new Date(end) }));
    }
  });

  it('with a path length of 0 and with none', async () => {
    for (const extension of [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.BasicConstraintsExtension(false, undefined, false),
    ]) {
      expectSameAsOracles(await createCertificate({ extensions: [extension] }));
    }
  });

  const folder = join(process.env['NITRO_VECTORS'] ?? '', 'attestation');
  const isThere = process.env['NITRO_VECTORS'] !== undefined && existsSync(folder);
  it.skipIf(!isThere)('in every genuine document (set NITRO_VECTORS to a folder of them)', () => {
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.bin'))) {
      const { payload } = decodeCoseSign1(readFileSync(join(folder, file)));
      const document = decodeCbor(payload) as CborMap;
      const bundle = document.get('cabundle') as Uint8Array[];
      for (const encoded of [...bundle, document.get('certificate') as Uint8Array]) expectSameAsOracles(encoded);
    }
  });
});

describe('a certificate that breaks a rule', () => {
  let good: Uint8Array;
  beforeAll(async () => {
    good = await createCertificate({ extensions: await fullExtensions() });
  });

  const ECDSA_SHA384 = '06082a8648ce3d040303';
  const cases: readonly [
    name: string,
    change: (good: Uint8Array) => Uint8Array,
    CertificateErrorCode | DerErrorCode,
  ][] = [
    ['of version 1', (bytes) => replaced(bytes, 'a003020102', ''), 'CERTIFICATE_VERSION'],
    ['of version 2', (bytes) => replaced(bytes, 'a003020102', 'a003020101'), 'CERTIFICATE_VERSION'],
    ['of version 4', (bytes) => replaced(bytes, 'a003020102', 'a003020103'), 'CERTIFICATE_VERSION'],
    [
      'with version and more in its place',
      (bytes) => replaced(bytes, 'a003020102', 'a0050201020500'),
      'DER_TRAILING_BYTES',
    ],
    [
      'whose outer algorithm is another',
      (bytes) => {
        const copy = bytes.slice();
        const at = encodeHex(copy).lastIndexOf(ECDSA_SHA384) / 2;
        copy[at + 9] = 2;
        return copy;
      },
      'CERTIFICATE_SIGNATURE_ALGORITHM_MISMATCH',
    ],
    [
      'with an extension twice',
      (bytes) => replaced(bytes, '0603551d0e', '0603551d23'),
      'CERTIFICATE_DUPLICATE_EXTENSION',
    ],
    [
      'with critical written out as FALSE',
      (bytes) => replaced(bytes, '0603551d0e', '0603551d0e010100'),
      'DER_DEFAULT_ENCODED',
    ],
    ['with critical as 01', (bytes) => replaced(bytes, '0603551d0f0101ff', '0603551d0f010101'), 'DER_BOOLEAN'],
    ['with a padded serial number', (bytes) => replaced(bytes, '020101300a', '02020001300a'), 'DER_INTEGER'],
    [
      'with a bit left over in its key',
      (bytes) => {
        const copy = bytes.slice();
        const key = encodeHex(copy).indexOf('03620004') / 2;
        copy[key + 2] = 1;
        copy[key + 99] = (copy[key + 99] ?? 0) & 0xfe;
        return copy;
      },
      'CERTIFICATE_BIT_STRING_UNUSED_BITS',
    ],
    ['with a time that is no date', (bytes) => replaced(bytes, '170d323630313031', '170d323630323330'), 'DER_TIME'],
    ['with another byte after it', (bytes) => concatBytes(bytes, Uint8Array.of(0)), 'DER_TRAILING_BYTES'],
    ['cut off', (bytes) => bytes.subarray(0, -1), 'DER_TRUNCATED'],
    ['that is a PEM', () => new TextEncoder().encode('-----BEGIN CERTIFICATE-----'), 'DER_TAG'],
    ['that is nothing', () => new Uint8Array(0), 'DER_TRUNCATED'],
  ];
  for (const [name, change, code] of cases) {
    it(`${name} is refused as ${code}`, () => expect(codeOf(change(good))).toBe(code));
  }

  it('with a list of no extensions is refused', async () => {
    expect(codeOf(await createCertificate({ extensions: [] }))).toBe('DER_TRUNCATED');
  });

  it('in its basicConstraints is refused when they are read', () => {
    const fine = '30060101ff020102';
    expect(codeOf(good, basicConstraints)).toBeUndefined();
    expect(codeOf(replaced(good, fine, '3006010100020102'), basicConstraints)).toBe('DER_DEFAULT_ENCODED');
    expect(codeOf(replaced(good, fine, '30060101ff040102'), basicConstraints)).toBe('DER_TAG');
    expect(codeOf(replaced(good, fine, '30060101ff0201ff'), basicConstraints)).toBe('DER_INTEGER');
  });

  it('in its keyUsage is refused when it is read', () => {
    expect(codeOf(replaced(good, '040403020106', '040403020806'), keyUsage)).toBe('DER_BIT_STRING');
    expect(codeOf(replaced(good, '040403020106', '040403020107'), keyUsage)).toBe('DER_BIT_STRING');
    expect(codeOf(replaced(good, '040403020106', '040404020106'), keyUsage)).toBe('DER_TAG');
  });

  it('is refused at every truncation', () => {
    for (let length = 0; length < good.length; length += 1) expect(codeOf(good.subarray(0, length))).toBeDefined();
  });

  it('is never read as another certificate: what is accepted after a change has the change in it', () => {
    for (let at = 0; at < good.length; at += 1) {
      const copy = good.slice();
      copy[at] = (copy[at] ?? 0) ^ 0x04;
      if (codeOf(copy) === undefined) expect(bytesEqual(parseCertificate(copy).encoded, copy)).toBe(true);
    }
  });
});

describe('a parsed certificate', () => {
  it('is of a copy: later writes to the input, a Buffer too, change nothing', async () => {
    const good = await createCertificate({ extensions: await fullExtensions() });
    for (const input of [good.slice(), Buffer.from(good)]) {
      const certificate = parseCertificate(input);
      const expected = encodeHex(certificate.tbs);
      input.fill(0);
      expect(encodeHex(certificate.tbs)).toBe(expected);
      expect(certificate.encoded).toEqual(good);
    }
  });

  it('holds in `tbs` the bytes that its signature covers', async () => {
    const encoded = await createCertificate();
    const { tbs, signature } = parseCertificate(encoded);
    const key = new NodeCertificate(encoded).publicKey;
    expect(verify('sha384', tbs, key, signature)).toBe(true);
  });

  it('names its extensions by their identifiers', async () => {
    const { extensions } = parseCertificate(await createCertificate({ extensions: await fullExtensions() }));
    expect([...extensions.keys()]).toEqual([
      EXTENSION.BASIC_CONSTRAINTS,
      EXTENSION.KEY_USAGE,
      EXTENSION.SUBJECT_KEY_IDENTIFIER,
      EXTENSION.AUTHORITY_KEY_IDENTIFIER,
      EXTENSION.CRL_DISTRIBUTION_POINTS,
    ]);
  });
});
