// Good inputs that several targets start from, made by the emulator: the same at every call.
import { createNitroPki, issueAttestationDocument } from '@nitro-enclaves/emulator';

const MODULE_ID = 'i-1234567890abcdef0-enc0123456789abcdef';
/** When the documents are made and verified, in ms since the epoch. */
export const NOW = Date.UTC(2026, 0, 1, 12);

function createPki() {
  return createNitroPki({ seed: 'fuzz', clock: () => NOW });
}

/** The root certificate, DER. */
export async function emulatedRoot() {
  return (await createPki()).rootCertificate;
}

/** The certificates of one chain, from the root to the leaf. */
export async function emulatedChain() {
  const pki = await createPki();
  const { caBundle, certificate } = await pki.chain(MODULE_ID);
  return [...caBundle, certificate];
}

/** Attestation documents in both encodings and of both kinds, with full and with empty fields. */
export async function emulatedDocuments() {
  const pki = await createPki();
  const pcrs = { 0: new Uint8Array(48).fill(1), 1: new Uint8Array(48).fill(2), 2: new Uint8Array(48).fill(3) };
  const empty = new Uint8Array(0);
  const bound = {
    publicKey: new Uint8Array(294).fill(4),
    userData: new Uint8Array(32).fill(5),
    nonce: new Uint8Array(16).fill(6),
  };
  return Promise.all([
    issueAttestationDocument(pki, { moduleId: MODULE_ID, pcrs, ...bound }),
    issueAttestationDocument(pki, { moduleId: MODULE_ID, pcrs, encoding: 'definite', userData: empty, nonce: empty }),
    issueAttestationDocument(pki, { moduleId: MODULE_ID, pcrs, kind: 'nitrotpm', publicKey: empty }),
  ]);
}
