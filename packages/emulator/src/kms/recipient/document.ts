import type { KeyObject } from 'node:crypto';
import { createPublicKey } from 'node:crypto';
import type { Pcrs, VerifiedAttestationDocument } from '@nitro-enclaves/attestation';
import {
  AttestationError,
  allowAnyImage,
  allowDebugMode,
  allowKmsRecipientDocument,
  createVerifier,
  customTrustAnchor,
  PolicyError,
  parseAttestationDocument,
} from '@nitro-enclaves/attestation';
import { EmulatedKmsError } from '../error.ts';
import { validationError } from '../service-error.ts';
import type { EnvelopeRecipient } from './envelope.ts';
import { digestOf, RecentlyUsed } from './recently-used.ts';
import { readUnsignedDocument } from './unsigned-document.ts';

/**
 * Takes attestation documents without a valid signature for genuine, such as QEMU's: whoever reaches the server can claim any
 * measurement. For the QEMU machine only; every audit line says so.
 */
export const unsignedDocumentsAllowed: unique symbol = Symbol('unsignedDocumentsAllowed');

/** By which roots documents are judged; or, said by name, that they are not. */
export type AttestationRule =
  | {
      /** Root certificates (DER) that a document's chain may begin with, such as `pki.rootCertificate`. */
      readonly roots: readonly Uint8Array[];
      /** The clock of the judgement, in ms since the epoch. Default: the clock of the KMS. */
      readonly clock?: () => number;
      /** Oldest document accepted, in ms. Default: 5 minutes. */
      readonly maxAge?: number;
    }
  | {
      /** @deprecated Greppable opt-in: see {@link unsignedDocumentsAllowed}. */
      readonly [unsignedDocumentsAllowed]: true;
    };

/** What KMS uses of a document. */
export interface DocumentClaims {
  readonly kind: 'enclave' | 'nitrotpm';
  readonly moduleId: string;
  readonly pcrs: Pcrs;
  readonly publicKey: Uint8Array | null;
}

/** A recipient whose document was accepted. */
export interface Recipient extends EnvelopeRecipient {
  readonly document: DocumentClaims;
}

/** Judges documents: gives the recipients that they name, or refuses them with a `ValidationException`. */
export type RecipientGate = (document: Uint8Array) => Promise<Recipient>;

type DocumentGate = (document: Uint8Array) => Promise<DocumentClaims>;

const MAX_AGE_MS = 5 * 60_000;
/** How far ahead of the server's clock a document may be. */
const CLOCK_SKEW_MS = 60_000;
/** Most documents, and most keys, that are remembered. */
const MAX_REMEMBERED = 256;

/** AWS publishes no list of reasons; ours tells the developer which check failed. */
function refuse(reason: string): never {
  throw validationError(`The attestation document in Recipient is not valid: ${reason}`);
}

function isVerdict(error: unknown): error is AttestationError | PolicyError {
  return error instanceof AttestationError || error instanceof PolicyError;
}

/** Enclave and NitroTPM documents are both taken, in any image and in debug mode: it is the key policy that chooses. */
function createVerifiers(root: Uint8Array, maxAge: number) {
  const common = {
    [allowAnyImage]: true,
    [allowKmsRecipientDocument]: true,
    [customTrustAnchor]: root,
    freshness: { maxAge, clockSkew: CLOCK_SKEW_MS },
  } as const;
  return {
    enclave: createVerifier({ policy: { ...common, kind: 'enclave', [allowDebugMode]: true } }),
    nitrotpm: createVerifier({ policy: { ...common, kind: 'nitrotpm' } }),
  };
}

/** A document that was accepted, and the moments, in ms since the epoch, between which it would be again. */
interface Acceptance {
  readonly claims: DocumentClaims;
  readonly from: number;
  readonly until: number;
}

/** All that the verdict on the same bytes depends on is the clock: by certificates, by age and by skew. */
function acceptanceOf(document: VerifiedAttestationDocument, maxAge: number): Acceptance {
  const { kind, moduleId, pcrs, publicKey, timestamp, chain } = document;
  return {
    claims: { kind, moduleId, pcrs, publicKey },
    from: Math.max(timestamp - CLOCK_SKEW_MS, ...chain.map(({ notBefore }) => notBefore)),
    until: Math.min(timestamp + maxAge, ...chain.map(({ notAfter }) => notAfter)),
  };
}

function verifyingGate(rule: Extract<AttestationRule, { roots: unknown }>, clock: () => number): DocumentGate {
  const { roots, maxAge = MAX_AGE_MS } = rule;
  if (roots.length === 0)
    throw new EmulatedKmsError('KMS_OPTION', 'expected attestation.roots to hold a root certificate, found none');
  const verifiers = roots.map((root) => ({ root, ...createVerifiers(root, maxAge) }));
  const verify = async (encoded: Uint8Array, now: number): Promise<VerifiedAttestationDocument> => {
    try {
      const { kind, caBundle } = parseAttestationDocument(encoded);
      const [root] = caBundle;
      const verifier =
        verifiers.find((one) => root !== undefined && Buffer.compare(one.root, root) === 0) ?? verifiers[0];
      if (verifier === undefined) return refuse('no root');
      return await verifier[kind].verify(encoded, { now });
    } catch (error) {
      return isVerdict(error) ? refuse(`${error.message} (${error.code})`) : Promise.reject(error);
    }
  };
  const accepted = new RecentlyUsed<Acceptance>(MAX_REMEMBERED);
  const readClock = rule.clock ?? clock;
  return async (encoded) => {
    const now = readClock();
    const digest = digestOf(encoded);
    const known = accepted.get(digest);
    if (known !== undefined && known.from <= now && now <= known.until) return known.claims;
    const acceptance = acceptanceOf(await verify(encoded, now), maxAge);
    accepted.set(digest, acceptance);
    return acceptance.claims;
  };
}

function unsignedGate(): DocumentGate {
  return async (encoded) => {
    try {
      return readUnsignedDocument(encoded);
    } catch (error) {
      return refuse(error instanceof Error ? error.message : 'not decodable');
    }
  };
}

function createDocumentGate(rule: AttestationRule, clock: () => number): DocumentGate {
  return unsignedDocumentsAllowed in rule ? unsignedGate() : verifyingGate(rule, clock);
}

function readRsaKey(encoded: Uint8Array): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(encoded), format: 'der', type: 'spki' });
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    if (key.asymmetricKeyType === 'rsa' && bits >= 2048 && bits <= 4096) return key;
  } catch {
    return refuse('expected its public_key to be SubjectPublicKeyInfo (DER)');
  }
  return refuse('expected its public_key to be an RSA key of 2048 to 4096 bits');
}

/**
 * The gate of one KMS. It takes the key out of a document that the answer will be encrypted to, and remembers what it has
 * read: a recipient's key serves many calls, and its document may.
 */
export function createRecipientGate(rule: AttestationRule, clock: () => number): RecipientGate {
  const judge = createDocumentGate(rule, clock);
  const keys = new RecentlyUsed<KeyObject>(MAX_REMEMBERED);
  return async (encoded) => {
    const document = await judge(encoded);
    const { publicKey: encodedPublicKey } = document;
    if (encodedPublicKey === null) return refuse('expected a public_key, found none');
    const digest = digestOf(encodedPublicKey);
    const publicKey = keys.get(digest) ?? readRsaKey(encodedPublicKey);
    keys.set(digest, publicKey);
    return { document, publicKey, encodedPublicKey };
  };
}
