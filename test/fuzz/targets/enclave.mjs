// What reaches an enclave: responses of the NSM, envelopes of KMS, messages of the Encryption SDK.
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodeHex, encodeCbor } from '@nitro-enclaves/core';
import { KmsRecipientError } from '@nitro-enclaves/kms';
import { NsmError } from '@nitro-enclaves/nsm';
import { Constructed, Set as DerSet, Integer, Null, ObjectIdentifier, OctetString, Primitive, Sequence } from 'asn1js';
import { MessageEnd } from '../../../packages/kms/dist/data/message-end.js';
import { EnvelopeShapeError } from '../../../packages/kms/dist/envelope/ber-reader.js';
import { decodeEnvelope } from '../../../packages/kms/dist/envelope/decode.js';
import { openEnvelope } from '../../../packages/kms/dist/envelope/open.js';
import {
  decodeAttestation,
  decodeDescribeNsm,
  decodeDescribePcr,
  decodeExtendPcr,
  decodeGetRandom,
  decodeLock,
  openResponse,
} from '../../../packages/nsm/dist/response.js';

const READERS = [
  ['DescribeNSM', decodeDescribeNsm],
  ['DescribePCR', decodeDescribePcr],
  ['ExtendPCR', decodeExtendPcr],
  ['Attestation', decodeAttestation],
  ['GetRandom', decodeGetRandom],
  ['LockPCR', (bytes) => decodeLock('LockPCR', bytes)],
  ['LockPCRs', (bytes) => decodeLock('LockPCRs', bytes)],
  ['DescribeNSM', (bytes) => openResponse('DescribeNSM', bytes)],
];

function nsmSeeds() {
  const map = (entries) => new Map(Object.entries(entries));
  const description = map({
    version_major: 1,
    version_minor: 0,
    version_patch: 0,
    module_id: 'i-1234567890abcdef0-enc0123456789abcdef',
    max_pcrs: 32,
    locked_pcrs: [0, 1, 2],
    digest: 'SHA384',
  });
  return [
    map({ DescribeNSM: description }),
    map({ DescribePCR: map({ lock: true, data: new Uint8Array(48) }) }),
    map({ ExtendPCR: map({ data: new Uint8Array(48) }) }),
    map({ Attestation: map({ document: new Uint8Array(300) }) }),
    map({ GetRandom: map({ random: new Uint8Array(256) }) }),
    'LockPCR',
    'LockPCRs',
  ].map((response) => encodeCbor(response));
}

/** The bytes as the answer to each request in turn; the outcome is that of the last that took them. */
function readResponse(bytes) {
  let refusal;
  let accepted = false;
  for (const [, read] of READERS) {
    try {
      read(bytes.slice());
      accepted = true;
    } catch (error) {
      if (!(error instanceof NsmError)) throw error;
      refusal = error;
    }
  }
  if (!accepted) throw refusal;
}

const oid = (value) => new ObjectIdentifier({ value });
const octets = (bytes) => new OctetString({ valueHex: bytes });
const sequence = (...value) => new Sequence({ value });
const tagged = (tagNumber, ...value) => new Constructed({ idBlock: { tagClass: 3, tagNumber }, value });

/** CMS EnvelopedData as KMS makes it, for a key that is made anew in every process: it has the shape, and never opens. */
function envelope(content) {
  const sha256 = () => sequence(oid('2.16.840.1.101.3.4.2.1'), new Null());
  const oaep = sequence(tagged(0, sha256()), tagged(1, sequence(oid('1.2.840.113549.1.1.8'), sha256())));
  const identifier = new Primitive({ idBlock: { tagClass: 3, tagNumber: 0 }, valueHex: new Uint8Array(32) });
  const recipient = sequence(
    new Integer({ value: 2 }),
    identifier,
    sequence(oid('1.2.840.113549.1.1.7'), oaep),
    octets(new Uint8Array(256).fill(3)),
  );
  const algorithm = sequence(oid('2.16.840.1.101.3.4.1.42'), octets(new Uint8Array(16)));
  const info = sequence(oid('1.2.840.113549.1.7.1'), algorithm, content);
  const enveloped = sequence(new Integer({ value: 2 }), new DerSet({ value: [recipient] }), info);
  return new Uint8Array(sequence(oid('1.2.840.113549.1.7.3'), tagged(0, enveloped)).toBER());
}

function envelopeSeeds() {
  const whole = new Primitive({ idBlock: { tagClass: 3, tagNumber: 0 }, valueHex: new Uint8Array(32) });
  const chunks = tagged(0, octets(new Uint8Array(16)), octets(new Uint8Array(32)));
  return [envelope(whole), envelope(chunks)];
}

const keys = await webcrypto.subtle.generateKey(
  { name: 'RSA-OAEP', modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' },
  false,
  ['decrypt'],
);
const RECIPIENT_KEY = { privateKey: keys.privateKey, subjectKeyIdentifier: new Uint8Array(32) };

/** How far the decoder came: what `openEnvelope` tells nobody, but new inputs are chosen by. */
function stageOf(bytes) {
  try {
    decodeEnvelope(bytes);
    return 'envelope';
  } catch (error) {
    return error instanceof EnvelopeShapeError ? error.message.replaceAll(' ', '-') : 'ASN.1';
  }
}

/** No envelope here was made for this key: each must be refused, and in no way but the one. */
async function openRefused(bytes) {
  try {
    await openEnvelope(bytes, RECIPIENT_KEY);
  } catch (error) {
    const isTheOne = error instanceof KmsRecipientError && error.code === 'ENVELOPE_REFUSED';
    if (isTheOne && error.cause === undefined) return stageOf(bytes);
    throw error;
  }
  throw new Error('an envelope for nobody was opened');
}

const CLI_MESSAGES = new URL('../../../packages/kms/test/fixtures/aws-encryption-cli.json', import.meta.url);

function messageSeeds() {
  const { messages } = JSON.parse(readFileSync(CLI_MESSAGES, 'utf8'));
  return Object.values(messages).map((message) => Buffer.from(message, 'base64'));
}

/** Where a message ends does not depend on the pieces in which it comes. */
function findEnd(bytes) {
  const isPassed = new MessageEnd().isPassedBy(bytes);
  const byPieces = new MessageEnd();
  let isPassedByPiece = false;
  for (let at = 0; at < bytes.length; at += 5) {
    if (byPieces.isPassedBy(bytes.subarray(at, at + 5))) isPassedByPiece = true;
  }
  if (isPassed !== isPassedByPiece) throw new Error(`in one piece ${isPassed}, in several ${isPassedByPiece}`);
  return isPassed ? 'passed' : 'within';
}

const MESSAGE_TOKENS = ['020478', '020578', 'ffffffff', '00000000', 'ffff', '0001', '00000080'].map((hex) =>
  decodeHex(hex),
);
const BER_TOKENS = [
  '3080',
  '0000',
  '2480',
  'a080',
  '0400',
  '308200ff',
  '020102',
  '0500',
  '8000',
  'a000',
  '0609',
  '3000',
  '3100',
  '84ffffffff',
].map((hex) => decodeHex(hex));
const CBOR_TOKENS = [
  'bf',
  'ff',
  'a0',
  '80',
  'f6',
  '5830',
  '18ff',
  '1b7fffffffffffffff',
  'a1',
  '654572726f72',
  '684c6f636b50435273',
].map((hex) => decodeHex(hex));

/** @type {Readonly<Record<string, import('../targets.mjs').FuzzTarget>>} */
export const TARGETS = {
  'nsm-response': { seeds: nsmSeeds, run: readResponse, errors: [NsmError], tokens: CBOR_TOKENS, longest: 16_384 },
  'kms-envelope': { seeds: envelopeSeeds, run: openRefused, errors: [], tokens: BER_TOKENS, longest: 12_300 },
  'message-end': { seeds: messageSeeds, run: findEnd, errors: [], tokens: MESSAGE_TOKENS },
};
