// Attestation documents: the parser, the reader of texts, and the whole verification.
import { ok } from 'node:assert';
import {
  AttestationError,
  allowAnyAge,
  allowAnyImage,
  createVerifier,
  customTrustAnchor,
  PolicyError,
  parseAttestationDocument,
  readAttestationDocumentBytes,
} from '@nitro-enclaves/attestation';
import { decodeHex, encodeHex } from '@nitro-enclaves/core';
import { emulatedDocuments, emulatedRoot, NOW } from '../seeds.mjs';

const DOCUMENT_TOKENS = [
  ...[
    'bf',
    'ff',
    'a0',
    'f6',
    '40',
    'd2',
    '8440a04040',
    'a1013822',
    '44a1013822',
    '590400',
    '5830',
    '1818',
    '00',
    '181f',
  ],
  ...['6470637273', '666469676573746', '66534841333834', '696d6f64756c655f6964', '68636162756e646c65', '656e6f6e6365'],
].map((hex) => decodeHex(hex.length % 2 === 0 ? hex : `${hex}0`));

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder('latin1');

async function documentTexts() {
  const documents = await emulatedDocuments();
  return documents.flatMap((document) => [
    document,
    ENCODER.encode(encodeHex(document)),
    ENCODER.encode(Buffer.from(document).toString('base64')),
    ENCODER.encode(Buffer.from(document).toString('base64url')),
  ]);
}

/** Reads the input as bytes and as text: either gives a document's bytes, or says what it found. */
function readInput(bytes) {
  const results = [bytes, DECODER.decode(bytes)].map((input) => {
    try {
      return readAttestationDocumentBytes(input);
    } catch (error) {
      if (error instanceof AttestationError) return error;
      throw error;
    }
  });
  const [fromBytes] = results;
  if (fromBytes instanceof AttestationError) throw fromBytes;
}

const genuine = new Set((await emulatedDocuments()).map((document) => encodeHex(document)));
const verifiers = await Promise.all(
  ['enclave', 'nitrotpm'].map(async (kind) =>
    createVerifier({
      policy: { kind, [customTrustAnchor]: await emulatedRoot(), [allowAnyImage]: true, [allowAnyAge]: true },
    }),
  ),
);

/** Whatever is accepted is one of the documents that were issued; tag 18 in front is the one other form. */
function verifyDocument(bytes) {
  const kind = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('nitrotpm_pcrs') ? 1 : 0;
  verifiers[kind].verifySync(bytes, { now: NOW });
  ok(genuine.has(encodeHex(bytes[0] === 0xd2 ? bytes.subarray(1) : bytes)), 'accepted a document that nobody issued');
}

/** @type {Readonly<Record<string, import('../targets.mjs').FuzzTarget>>} */
export const TARGETS = {
  'attestation-parse': {
    seeds: emulatedDocuments,
    run: (bytes) => void parseAttestationDocument(bytes),
    errors: [AttestationError],
    tokens: DOCUMENT_TOKENS,
  },
  'attestation-read': { seeds: documentTexts, run: readInput, errors: [AttestationError], tokens: DOCUMENT_TOKENS },
  'attestation-verify': {
    seeds: emulatedDocuments,
    run: verifyDocument,
    errors: [AttestationError, PolicyError],
    tokens: DOCUMENT_TOKENS,
  },
};
