// The decoders of @nitro-enclaves/core, and the laws that hold for whatever they accept.
import { deepStrictEqual } from 'node:assert';
import {
  authorityKeyIdentifier,
  basicConstraints,
  CborError,
  CertificateError,
  CoseError,
  concatBytes,
  DerError,
  DerReader,
  decodeCbor,
  decodeCoseSign1,
  decodeDistinguishedName,
  decodeEcdsaSignature,
  decodeHex,
  encodeCbor,
  encodeCoseSign1,
  keyUsage,
  parseCertificate,
  sigStructure,
  subjectKeyIdentifier,
} from '@nitro-enclaves/core';
import { emulatedChain, emulatedDocuments } from '../seeds.mjs';

const CBOR_TOKENS = [
  'bf',
  'ff',
  '9f',
  '80',
  'a0',
  'f6',
  'f7',
  'd2',
  '5fff',
  '7fff',
  '1bffffffffffffffff',
  '5b7fffffffffffffff',
  '9a00010000',
  'ba7fffffff',
  '6161',
  '01',
  '20',
  'fb7ff0000000000000',
  'c0',
  'f820',
].map((hex) => decodeHex(hex));

const DER_TOKENS = [
  '3000',
  '3080',
  '0000',
  '30820000',
  '3084ffffffff',
  '020100',
  '02020080',
  '0500',
  '0101ff',
  '010100',
  '0603550413',
  '06082a8648ce3d040303',
  '030100',
  '0403',
  'a003020102',
  'a300',
  '170d3236303130313030303030305a',
  '180f32303530303130313030303030305a',
  '1f8101',
].map((hex) => decodeHex(hex));

function cborSeeds() {
  return [
    encodeCbor(
      new Map([
        ['module_id', 'i-1'],
        [
          'pcrs',
          new Map([
            [0, new Uint8Array(48)],
            [16, new Uint8Array(48)],
          ]),
        ],
        [-1, [true, false, null, undefined]],
      ]),
    ),
    encodeCbor([
      [[[1, 23, 24, 255, 256, 65_535, 65_536, 4_294_967_296, Number.MAX_SAFE_INTEGER, -1, Number.MIN_SAFE_INTEGER]]],
    ]),
    concatBytes(decodeHex('bf616101'), decodeHex('6162'), decodeHex('9f0203ff'), decodeHex('6163a0ff')),
    encodeCbor('öäü€😀'),
  ];
}

function derScalarSeeds() {
  const good = ['020100', '02020080', '0101ff', '0603550413', '06082a8648ce3d040303', '030100', '030204f0'];
  const times = ['170d3236303130313030303030305a', '180f32303530303130313030303030305a'];
  return [...good, ...times, [...good, ...times].join('')].map((hex) => decodeHex(hex));
}

/** What was accepted has one value, and its deterministic form decodes to the same. */
function checkCbor(bytes) {
  const value = decodeCbor(bytes);
  const encoded = encodeCbor(value);
  deepStrictEqual(decodeCbor(encoded), value);
  deepStrictEqual(encodeCbor(decodeCbor(encoded)), encoded);
}

function checkCose(bytes) {
  const message = decodeCoseSign1(bytes);
  sigStructure(message);
  const again = decodeCoseSign1(encodeCoseSign1(message));
  deepStrictEqual(
    [again.protectedHeader, again.payload, again.signature],
    [message.protectedHeader, message.payload, message.signature],
  );
}

/** Reads any DER, constructed elements from the inside too. */
function walkDer(bytes, depth = 0) {
  const reader = new DerReader(bytes);
  while (reader.peekTag() !== undefined) {
    const { tag, content } = reader.readAny();
    if ((tag & 0x20) !== 0 && depth < 64) walkDer(content, depth + 1);
  }
  reader.expectEnd();
}

function readScalars(bytes) {
  const reader = new DerReader(bytes);
  const readers = {
    1: 'readBooleanDefaultFalse',
    2: 'readInteger',
    3: 'readBitString',
    6: 'readObjectIdentifier',
    23: 'readTime',
    24: 'readTime',
  };
  while (reader.peekTag() !== undefined) {
    const method = readers[reader.peekTag()];
    if (method === undefined) reader.readAny();
    else reader[method]();
  }
}

function checkCertificate(bytes) {
  const certificate = parseCertificate(bytes);
  deepStrictEqual(certificate.encoded, bytes);
  for (const read of [basicConstraints, keyUsage, subjectKeyIdentifier, authorityKeyIdentifier]) read(certificate);
  decodeDistinguishedName(certificate.subject);
  decodeDistinguishedName(certificate.issuer);
  decodeEcdsaSignature(certificate.signature, 48);
}

/** @type {Readonly<Record<string, import('../targets.mjs').FuzzTarget>>} */
export const TARGETS = {
  cbor: { seeds: cborSeeds, run: checkCbor, errors: [CborError], tokens: CBOR_TOKENS, longest: 4096 },
  cose: { seeds: emulatedDocuments, run: checkCose, errors: [CborError, CoseError], tokens: CBOR_TOKENS },
  der: { seeds: emulatedChain, run: walkDer, errors: [DerError], tokens: DER_TOKENS, longest: 4096 },
  'der-scalars': {
    seeds: derScalarSeeds,
    run: readScalars,
    errors: [DerError],
    tokens: DER_TOKENS,
    longest: 256,
  },
  certificate: {
    seeds: emulatedChain,
    run: checkCertificate,
    errors: [DerError, CertificateError],
    tokens: DER_TOKENS,
    longest: 4096,
  },
};
