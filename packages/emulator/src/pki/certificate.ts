import { DER_TAG } from '@nitro-enclaves/core';
import { encodeDer, encodeDerBitString, encodeEcdsaSignature } from './der-writer.ts';
import type { P384KeyPair } from './p384-key.ts';
import type { Extension, Name } from './x509.ts';
import { X509CertificateGenerator } from './x509.ts';

/** What a certificate says, before it is encoded. */
export interface CertificateProfile {
  readonly issuer: Name;
  readonly subject: Name;
  /** Unsigned serial number, hexadecimal. */
  readonly serialNumber: string;
  /** First moment of validity, in ms since the epoch; whole seconds. */
  readonly notBefore: number;
  /** Last moment of validity, in ms since the epoch; whole seconds. */
  readonly notAfter: number;
  /** DER. */
  readonly subjectPublicKeyInfo: Uint8Array<ArrayBuffer>;
  readonly extensions: readonly Extension[];
}

/** Changes to a certificate on its way, for making one that is wrong in one place and right everywhere else. */
export interface CertificateAlteration {
  /** Changes what the certificate says; everything after is done over it. */
  readonly profile?: (profile: CertificateProfile) => CertificateProfile;
  /** Changes the encoded TBSCertificate before it is signed. */
  readonly tbs?: (tbs: Uint8Array) => Uint8Array;
  /** Signs with another key than the issuer's. */
  readonly signer?: P384KeyPair;
  /** Changes the signature (r and s, 96 bytes) before it is encoded. */
  readonly signature?: (signature: Uint8Array) => Uint8Array;
  /** Changes the outer AlgorithmIdentifier. */
  readonly signatureAlgorithm?: (encoded: Uint8Array) => Uint8Array;
  /** Changes the encoded signature value (Ecdsa-Sig-Value). */
  readonly signatureValue?: (encoded: Uint8Array) => Uint8Array;
  /** Changes the encoded BIT STRING around the signature value. */
  readonly signatureBitString?: (encoded: Uint8Array) => Uint8Array;
  /** Changes the finished certificate; its signature does not cover this. */
  readonly encoded?: (certificate: Uint8Array) => Uint8Array;
}

/** ecdsa-with-SHA384 (RFC 5758 §3.2), as AlgorithmIdentifier. */
export const ECDSA_WITH_SHA384: Uint8Array = Uint8Array.of(
  ...[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03],
);

function same<T>(value: T): T {
  return value;
}

/** The TBSCertificate. The library signs as it encodes, with a random nonce, so it is handed a signature to throw away. */
async function encodeTbs(profile: CertificateProfile): Promise<Uint8Array> {
  const certificate = await X509CertificateGenerator.create({
    ...profile,
    notBefore: new Date(profile.notBefore),
    notAfter: new Date(profile.notAfter),
    publicKey: profile.subjectPublicKeyInfo,
    extensions: [...profile.extensions],
    signingAlgorithm: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
    signature: new Uint8Array(96).fill(1),
  });
  return readTbs(new Uint8Array(certificate.rawData));
}

/** First element of the certificate's SEQUENCE. Read without judging: what is encoded may be wrong on purpose. */
function readTbs(certificate: Uint8Array): Uint8Array {
  const start = 4;
  const length = ((certificate[start + 2] ?? 0) << 8) | (certificate[start + 3] ?? 0);
  return certificate.subarray(start, start + 4 + length);
}

/** Encodes and signs a certificate, DER. */
export async function issueCertificate(
  profile: CertificateProfile,
  issuer: P384KeyPair,
  alteration: CertificateAlteration = {},
): Promise<Uint8Array> {
  const { tbs: alterTbs = same, signer = issuer, signature: alterSignature = same } = alteration;
  const tbs = alterTbs(await encodeTbs((alteration.profile ?? same)(profile)));
  const signature = encodeEcdsaSignature(alterSignature(signer.sign(tbs)));
  const certificate = encodeDer(
    DER_TAG.SEQUENCE,
    tbs,
    (alteration.signatureAlgorithm ?? same)(ECDSA_WITH_SHA384),
    (alteration.signatureBitString ?? same)(encodeDerBitString((alteration.signatureValue ?? same)(signature))),
  );
  return (alteration.encoded ?? same)(certificate);
}
