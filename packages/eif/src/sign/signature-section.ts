import type { CborMap, CborValue } from '@nitro-enclaves/core';
import { CborError, concatBytes, decodeCbor, encodeCbor, encodeHex } from '@nitro-enclaves/core';
import { extendFromZero } from '../digests.ts';
import { fail } from '../error.ts';
import type { Sha384 } from '../platform.ts';
import { MAX_SECTION_BYTES } from '../read/section-rules.ts';
import type { SigningCertificate } from './certificate.ts';
import { parsePemCertificate } from './certificate.ts';

/** The one entry of a signature section. Nothing in it is verified. */
export interface EifSignature {
  /** The certificate's file as it was embedded: PEM. */
  readonly certificatePem: Uint8Array;
  /** The first certificate of that file. */
  readonly certificate: SigningCertificate;
  /** The COSE_Sign1. */
  readonly coseSign1: Uint8Array;
}

function decodeEntries(bytes: Uint8Array): CborValue {
  try {
    // One CBOR item for each byte of the certificate and the signature.
    return decodeCbor(bytes, { maxItems: (MAX_SECTION_BYTES.signature ?? 0) + 16 });
  } catch (cause) {
    if (!(cause instanceof CborError)) throw cause;
    return fail('EIF_SIGNATURE_CBOR', 'expected CBOR in the signature section', { cause });
  }
}

/** Bytes that serde wrote as an array of small integers. */
export function bytesOfArray(value: CborValue): Uint8Array | undefined {
  if (!Array.isArray(value)) return undefined;
  const isByte = (item: CborValue): item is number => typeof item === 'number' && item >= 0 && item <= 255;
  return value.every(isByte) ? Uint8Array.from(value as number[]) : undefined;
}

function entryBytes(entry: CborMap, name: string): Uint8Array {
  const bytes = bytesOfArray(entry.get(name));
  if (bytes !== undefined) return bytes;
  return fail('EIF_SIGNATURE_ENTRY', `expected an array of bytes at $[0].${name}`, { path: `$[0].${name}` });
}

/**
 * Decodes a signature section. The platform looks at the first entry only, so that a second one would be covered by
 * nothing: exactly one is taken.
 * @throws {EifError} `EIF_SIGNATURE_CBOR`, `EIF_SIGNATURE_COUNT`, `EIF_SIGNATURE_ENTRY`, `EIF_CERTIFICATE_PEM` or
 * `EIF_CERTIFICATE_DER`.
 */
export function decodeSignatureSection(bytes: Uint8Array): EifSignature {
  const entries = decodeEntries(bytes);
  if (!Array.isArray(entries)) return fail('EIF_SIGNATURE_CBOR', 'expected an array in the signature section');
  if (entries.length !== 1) fail('EIF_SIGNATURE_COUNT', `expected one signature, found ${entries.length}`);
  const [entry] = entries;
  if (!(entry instanceof Map) || entry.size !== 2) {
    return fail('EIF_SIGNATURE_ENTRY', 'expected a map of two at $[0]', { path: '$[0]' });
  }
  const certificatePem = entryBytes(entry, 'signing_certificate');
  return {
    certificatePem,
    certificate: parsePemCertificate(certificatePem),
    coseSign1: entryBytes(entry, 'signature'),
  };
}

const ARRAY_OF_ONE = 0x81;
const MAP_OF_TWO = 0xa2;

/** Encodes a signature section of one entry, its fields in the order in which AWS's builder writes them. */
export function encodeSignatureSection(certificatePem: Uint8Array, coseSign1: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(
    Uint8Array.of(ARRAY_OF_ONE, MAP_OF_TWO),
    encodeCbor('signing_certificate'),
    encodeCbor([...certificatePem]),
    encodeCbor('signature'),
    encodeCbor([...coseSign1]),
  );
}

/** PCR8 of an image that is signed with `certificate`: H(0 ‖ H(DER)). */
export function pcr8(createSha384: () => Sha384, { der }: Pick<SigningCertificate, 'der'>): string {
  const sha384 = createSha384();
  sha384.update(der);
  return encodeHex(extendFromZero(createSha384, sha384.digest()));
}
