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
import type { ContextEntries } from '../policy/request-context.ts';
import { recipientEntries } from '../policy/request-context.ts';
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
  /** What condition keys show of the document. */
  readonly entries: ContextEntries;
}

/** Judges documents: gives the recipients that they name, or refuses them with a `ValidationException`. */
export type RecipientGate = (document: Uint8Array) => Promise<Recipient>;

/** Makes a recipient of the claims of a document that holds. */
type Admit = (document: DocumentClaims) => Recipient;

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

/** The recipient in a document, and the moments, in ms since the epoch, between which the document is accepted. */
interface Acceptance {
  readonly recipient: Recipient;
  readonly from: number;
  readonly until: number;
}

/** All that the verdict on the same bytes depends on is the clock: by certificates, by age and by skew. */
function windowOf({ timestamp, chain }: VerifiedAttestationDocument, maxAge: number): Omit<Acceptance, 'recipient'> {
  return {
    from: Math.max(timestamp - CLOCK_SKEW_MS, ...chain.map(({ notBefore }) => notBefore)),
    until: Math.min(timestamp + maxAge, ...chain.map(({ notAfter }) => notAfter)),
  };
}

/** Verifies documents by the roots that their chains name; refuses those of any other. */
function createVerification(
  roots: readonly Uint8Array[],
  maxAge: number,
): (encoded: Uint8Array, now: number) => Promise<VerifiedAttestationDocument> {
  if (roots.length === 0)
    throw new EmulatedKmsError('KMS_OPTION', 'expected attestation.roots to hold a root certificate, found none');
  const verifiers = roots.map((root) => ({ root, ...createVerifiers(root, maxAge) }));
  return async (encoded, now) => {
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
}

/** Takes documents that verify. One that is accepted is not verified again while the clock would find the same. */
function verifyingGate(
  { roots, maxAge = MAX_AGE_MS, clock: ownClock }: Extract<AttestationRule, { roots: unknown }>,
  { clock, admit }: { clock: () => number; admit: Admit },
): RecipientGate {
  const verify = createVerification(roots, maxAge);
  const accepted = new RecentlyUsed<Acceptance>(MAX_REMEMBERED);
  const readClock = ownClock ?? clock;
  return async (encoded) => {
    const now = readClock();
    const digest = digestOf(encoded);
    const known = accepted.get(digest);
    if (known !== undefined && known.from <= now && now <= known.until) return known.recipient;
    const verified = await verify(encoded, now);
    const { kind, moduleId, pcrs, publicKey } = verified;
    const recipient = admit({ kind, moduleId, pcrs, publicKey });
    accepted.set(digest, { recipient, ...windowOf(verified, maxAge) });
    return recipient;
  };
}

function readUnsigned(encoded: Uint8Array): DocumentClaims {
  try {
    return readUnsignedDocument(encoded);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : 'not decodable');
  }
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

/** Takes out of documents the keys that answers will be encrypted to, and remembers them: a key serves many calls. */
function createAdmission(): Admit {
  const keys = new RecentlyUsed<KeyObject>(MAX_REMEMBERED);
  return (document) => {
    const { publicKey: encodedPublicKey } = document;
    if (encodedPublicKey === null) return refuse('expected a public_key, found none');
    const digest = digestOf(encodedPublicKey);
    const publicKey = keys.get(digest) ?? readRsaKey(encodedPublicKey);
    keys.set(digest, publicKey);
    return { document, entries: recipientEntries(document), publicKey, encodedPublicKey };
  };
}

/** The gate of one KMS. */
export function createRecipientGate(rule: AttestationRule, clock: () => number): RecipientGate {
  const admit = createAdmission();
  if (unsignedDocumentsAllowed in rule) return async (encoded) => admit(readUnsigned(encoded));
  return verifyingGate(rule, { clock, admit });
}
