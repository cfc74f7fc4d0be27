// How far a verification is from the least that it can cost: the raw signatures, their keys ready. Peers are public verifiers
// in TypeScript; they trust AWS's root only, so they take part when NITRO_VECTORS names a folder of genuine documents.
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  AWS_NITRO_ROOT_G1,
  allowAnyAge,
  allowAnyImage,
  allowDebugMode,
  allowKmsRecipientDocument,
  createVerifier,
  customTrustAnchor,
  parseAttestationDocument,
  verifyAttestationDocument,
  verifyAttestationDocumentSync,
} from '@nitro-enclaves/attestation';
import {
  decodeCbor,
  decodeCoseSign1,
  decodeEcdsaSignature,
  parseCertificate,
  sigStructure,
} from '@nitro-enclaves/core';
import { createNitroPki, issueAttestationDocument } from '@nitro-enclaves/emulator';
import { describeMachine, printClaim, printMedians, sideBySide } from '../side-by-side.mjs';

const LAX = {
  [allowAnyImage]: true,
  [allowAnyAge]: true,
  [allowDebugMode]: true,
  [allowKmsRecipientDocument]: true,
};

/** A genuine document with a definite payload map: some peers refuse what AWS has signed since August 2025. */
function genuineDocument() {
  const vectors = process.env.NITRO_VECTORS;
  if (vectors === undefined) return undefined;
  const folder = join(vectors, 'attestation');
  const documents = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
  const { file, timestamp } = documents.findLast(({ payloadMap, debug }) => payloadMap === 'definite' && !debug);
  return { bytes: new Uint8Array(readFileSync(join(folder, file))), now: timestamp, policy: LAX, isGenuine: true };
}

async function emulatedDocument() {
  const now = Date.UTC(2026, 4, 17);
  const pki = await createNitroPki({ seed: 'bench', clock: () => now });
  const pcrs = Object.fromEntries(
    Array.from({ length: 16 }, (_, index) => [index, new Uint8Array(48).fill(index + 1)]),
  );
  const bytes = await issueAttestationDocument(pki, { moduleId: 'i-1234567890abcdef0-enc0123456789abcdef', pcrs });
  return { bytes, now, policy: { ...LAX, [customTrustAnchor]: pki.rootCertificate }, isGenuine: false };
}

/** The five signatures of a document, each with its key encoded and ready: four of certificates, then the document's own. */
function rawSignatures(bytes) {
  const message = decodeCoseSign1(bytes);
  const { caBundle, certificate } = parseAttestationDocument(bytes);
  const path = [...caBundle, certificate].map(parseCertificate);
  const encoded = path.map(({ subjectPublicKeyInfo }) => ({
    key: Buffer.from(subjectPublicKeyInfo),
    format: 'der',
    type: 'spki',
  }));
  const keys = encoded.map((key) => createPublicKey(key));
  const certificates = path.slice(1).map(({ tbs, signature }, index) => ({
    signed: tbs,
    signature: decodeEcdsaSignature(signature, 48),
    key: { key: keys[index] },
    encoded: encoded[index],
  }));
  const own = { signed: sigStructure(message), signature: message.signature };
  return [...certificates, { ...own, key: { key: keys.at(-1) }, encoded: encoded.at(-1) }];
}

function verifyRaw({ signed, signature, key }) {
  if (!verify('sha384', signed, { ...key, dsaEncoding: 'ieee-p1363' }, signature))
    throw new Error('a signature does not hold');
}

/** What every chain costs too: only the root's key is known before, the other four come with the document. */
function importAndVerifyRaw(signature, index) {
  verifyRaw(index === 0 ? signature : { ...signature, key: signature.encoded });
}

/** What the peers do with a document; they are given more than ours: the CBOR decoded, where they need help with it. */
async function peers({ bytes, now, isGenuine }) {
  if (!isGenuine) {
    console.log('peers left out: they take genuine documents only, set NITRO_VECTORS\n');
    return {};
  }
  const { verifyCertificateChain, verifyCoseSign1Sig } = await import('@turnkey/crypto');
  const { Validator } = await import('nostr-enclaves');
  const root = `-----BEGIN CERTIFICATE-----\n${Buffer.from(AWS_NITRO_ROOT_G1).toString('base64')}\n-----END CERTIFICATE-----`;
  const elements = decodeCbor(bytes);
  const fields = decodeCbor(elements[2]);
  const validator = new Validator({ allowExpired: true });
  const base64 = Buffer.from(bytes).toString('base64');
  return {
    'peer @turnkey/crypto': async () => {
      await verifyCoseSign1Sig(elements, fields.get('certificate'));
      await verifyCertificateChain(fields.get('cabundle'), root, fields.get('certificate'), now);
    },
    'peer nostr-enclaves': () => validator.parseValidateAttestation(base64),
  };
}

/** Megabytes that someone sends to keep a verifier busy. */
const HOSTILE = {
  'hostile megabyte: arrays without end': new Uint8Array(1_048_576).fill(0x9f),
  'hostile megabyte: a document and padding': undefined,
};

const { bytes, now, policy, isGenuine } = genuineDocument() ?? (await emulatedDocument());
HOSTILE['hostile megabyte: a document and padding'] = new Uint8Array(1_048_576);
HOSTILE['hostile megabyte: a document and padding'].set(bytes);
const signatures = rawSignatures(bytes);
const verifier = createVerifier({ policy });
verifier.verifySync(bytes, { now });

function refuse(hostile) {
  try {
    verifyAttestationDocumentSync(hostile, policy, { now });
  } catch (error) {
    if (error.name === 'AttestationError') return;
    throw error;
  }
  throw new Error('a hostile document was accepted');
}

console.log(describeMachine());
console.log(`document: ${isGenuine ? 'genuine' : 'emulated'}, ${bytes.length} bytes\n`);

const COLD = 'floor cold: five raw verifications';
const IMPORTS = 'the same, and four imported keys';
const WARM = 'floor warm: one raw verification';
const cases = {
  [COLD]: () => signatures.forEach(verifyRaw),
  [IMPORTS]: () => signatures.forEach(importAndVerifyRaw),
  'cold, at once': () => verifyAttestationDocumentSync(bytes, policy, { now }),
  'cold, waiting': () => verifyAttestationDocument(bytes, policy, { now }),
  [WARM]: () => verifyRaw(signatures.at(-1)),
  'warm, at once': () => verifier.verifySync(bytes, { now }),
  'warm, waiting': () => verifier.verify(bytes, { now }),
  ...Object.fromEntries(Object.entries(HOSTILE).map(([name, hostile]) => [name, () => refuse(hostile)])),
};

const floorOf = (name) => (name.includes('warm') ? WARM : COLD);
const medians = await sideBySide(cases, { rounds: 400 });
printMedians(medians, floorOf);
console.log();
const ratio = (name, floor) => medians.get(name) / medians.get(floor);
printClaim('cold, at once, to its floor', { ratio: ratio('cold, at once', COLD), atMost: 1.15 });
// OpenSSL 3.0, of Node 20, takes a fifth of a verification to import a key, OpenSSL 3.5 a twentieth: nobody's overhead.
printClaim('cold, at once, to its floor with the imports', { ratio: ratio('cold, at once', IMPORTS), atMost: 1.1 });
printClaim('cold, waiting, on two cores, to the floor on one', { ratio: ratio('cold, waiting', COLD), atMost: 1 });
printClaim('warm, at once, to its floor', { ratio: ratio('warm, at once', WARM), atMost: 1.2 });
const hostile = Math.max(...Object.keys(HOSTILE).map((name) => ratio(name, 'cold, at once')));
printClaim('the slower hostile megabyte to a cold verification', { ratio: hostile, atMost: 0.1 });

// In rounds of their own: what they leave behind for the garbage collector is not to fall on the others.
const { [COLD]: floor, 'cold, at once': own } = cases;
console.log('\nbeside the peers');
const beside = { [COLD]: floor, 'cold, at once': own, ...(await peers({ bytes, now, isGenuine })) };
printMedians(await sideBySide(beside, { rounds: 50 }), floorOf);
