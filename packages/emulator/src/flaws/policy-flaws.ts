import { encodeDer, encodeDerBitString, encodeDerInteger } from '../pki/der-writer.ts';
import type { AttestationDocumentRequest } from '../pki/document.ts';
import { encodeValue, readPcr } from '../pki/document.ts';
import { Seed } from '../seed.ts';
import { appendUnknownField, bytesOf, flipBit } from './edit.ts';
import type { Flaw, FlawedIssue } from './flaw.ts';
import { flaw } from './flaw.ts';

/** Names of {@link POLICY_FLAWS}. */
export type PolicyFlawName =
  | 'nitrotpm-instead-of-enclave'
  | 'debug-mode'
  | 'debug-mode-pcr1-only'
  | 'other-image'
  | 'other-application'
  | 'pcr-not-locked'
  | 'pcr-other-value'
  | 'pcr-31-not-locked'
  | 'other-instance'
  | 'other-role'
  | 'other-region'
  | 'nonce-missing'
  | 'nonce-other'
  | 'timestamp-too-old'
  | 'timestamp-in-the-future'
  | 'public-key-other'
  | 'user-data-other'
  | 'binding-other'
  | 'made-for-kms'
  | 'unknown-field';

const HOUR = 3_600_000;
const ZERO_PCR = new Uint8Array(48);

type Change = (request: AttestationDocumentRequest) => Partial<AttestationDocumentRequest>;

function asks(breaks: string, code: Flaw['code'], change: Change): Flaw {
  const issue: FlawedIssue = { request: (request) => ({ ...request, ...change(request) }) };
  return { breaks, code, issue };
}

/** Puts another value into a register that the request has, or a first one into one that it has not. */
function otherPcr(index: number): Change {
  return ({ pcrs }) => ({ pcrs: { ...pcrs, [index]: flipBit(readPcr(pcrs[index] ?? ZERO_PCR), 0) } });
}

function zeroPcrs(...indexes: readonly number[]): Change {
  return ({ pcrs }) => ({ pcrs: { ...pcrs, ...Object.fromEntries(indexes.map((index) => [index, ZERO_PCR])) } });
}

function withoutPcr(index: number): Change {
  return ({ pcrs }) => ({ pcrs: Object.fromEntries(Object.entries(pcrs).filter(([key]) => key !== String(index))) });
}

function otherBytes(bytes: Uint8Array | null | undefined): Uint8Array {
  return bytes?.length ? flipBit(bytes, 0) : bytesOf(0);
}

/** Moves the timestamp and nothing else: the chain is that of now. */
function moveTimestamp(breaks: string, code: Flaw['code'], ms: bigint): Flaw {
  return flaw(breaks, code, {
    fields: (fields) => fields.set('timestamp', BigInt(Number(fields.get('timestamp'))) + ms),
  });
}

/** rsaEncryption with its NULL (RFC 3279 §2.3.1). */
const RSA_ENCRYPTION = bytesOf(
  ...[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00],
);
const PUBLIC_EXPONENT = bytesOf(0x01, 0x00, 0x01);

/** SubjectPublicKeyInfo of an RSA-2048 key whose private half nobody has. */
function rsaPublicKey(): Uint8Array {
  const modulus = Seed.from('an RSA modulus that nobody knows the factors of').derive('modulus', 256);
  modulus[0] = (modulus[0] ?? 0) | 0x80;
  modulus[255] = (modulus[255] ?? 0) | 1;
  const key = encodeDer(0x30, encodeDerInteger(modulus), encodeDerInteger(PUBLIC_EXPONENT));
  return encodeDer(0x30, RSA_ENCRYPTION, encodeDerBitString(key));
}

/** Genuine documents that are not what a policy asks for. */
export const POLICY_FLAWS: Readonly<Record<PolicyFlawName, Flaw>> = {
  'nitrotpm-instead-of-enclave': asks('The document is of an instance with NitroTPM', 'KIND_MISMATCH', () => ({
    kind: 'nitrotpm',
  })),
  'debug-mode': asks(
    'The enclave runs in debug mode: PCR0, 1, 2 and 8 are zero, PCR3 and PCR4 are not',
    'DEBUG_MODE',
    zeroPcrs(0, 1, 2, 8),
  ),
  'debug-mode-pcr1-only': asks('PCR1 alone is zero', 'DEBUG_MODE', zeroPcrs(1)),
  'other-image': asks('PCR0 is that of another image', 'IMAGE_MISMATCH', otherPcr(0)),
  'other-application': asks('PCR2 alone is that of another image', 'IMAGE_MISMATCH', otherPcr(2)),
  'pcr-not-locked': asks('PCR16 is not in the document, as it is not locked', 'PCR_MISSING', withoutPcr(16)),
  'pcr-other-value': asks('PCR16 has another value', 'PCR_MISMATCH', otherPcr(16)),
  'pcr-31-not-locked': asks('PCR31 is not in the document, as it is not locked', 'PCRS_NOT_ALL_LOCKED', withoutPcr(31)),
  'other-instance': asks('PCR4 is that of another parent instance', 'INSTANCE_MISMATCH', otherPcr(4)),
  'other-role': asks('PCR3 is that of another IAM role', 'ROLE_MISMATCH', otherPcr(3)),
  'other-region': {
    breaks: 'The chain is that of another region',
    code: 'REGION_MISMATCH',
    issue: { region: 'eu-north-1' },
  },
  'nonce-missing': asks('There is no nonce', 'NONCE_MISSING', () => ({ nonce: null })),
  'nonce-other': asks('The nonce is another', 'NONCE_MISMATCH', ({ nonce }) => ({ nonce: otherBytes(nonce) })),
  'timestamp-too-old': moveTimestamp('The document is an hour old', 'TOO_OLD', BigInt(-HOUR)),
  'timestamp-in-the-future': moveTimestamp('The document is of an hour from now', 'FROM_THE_FUTURE', BigInt(HOUR)),
  'public-key-other': asks('The public key is another', 'PUBLIC_KEY_MISMATCH', ({ publicKey }) => ({
    publicKey: otherBytes(publicKey),
  })),
  'user-data-other': asks('The user data are others', 'USER_DATA_MISMATCH', ({ userData }) => ({
    userData: otherBytes(userData),
  })),
  'binding-other': asks('The user data bind the document to something else', 'BINDING_MISMATCH', ({ userData }) => ({
    userData: otherBytes(userData),
  })),
  'made-for-kms': asks('The document was made for KMS: an RSA key and nothing else', 'KMS_RECIPIENT_DOCUMENT', () => ({
    publicKey: rsaPublicKey(),
    userData: null,
    nonce: null,
  })),
  'unknown-field': flaw('The payload has a field that is unknown here', 'UNKNOWN_FIELD', {
    payload: (payload) => appendUnknownField(payload, encodeValue(null)),
  }),
};
