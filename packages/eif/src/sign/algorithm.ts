/** How an image is signed: curve and hash always go together (RFC 9053 §2.1, and AWS's COSE). */
export interface EifSignatureAlgorithm {
  /** Name of the algorithm in COSE. */
  readonly name: 'ES256' | 'ES384' | 'ES512';
  /** Its number in COSE. */
  readonly coseNumber: -7 | -35 | -36;
  /** The curve, as WebCrypto writes it. */
  readonly curve: 'P-256' | 'P-384' | 'P-521';
  /** The hash, as WebCrypto writes it. */
  readonly hash: 'SHA-256' | 'SHA-384' | 'SHA-512';
  /** Length of r and of s, in bytes. */
  readonly fieldBytes: 32 | 48 | 66;
}

/** Every algorithm that the platform knows. */
export const SIGNATURE_ALGORITHMS: readonly EifSignatureAlgorithm[] = [
  { name: 'ES256', coseNumber: -7, curve: 'P-256', hash: 'SHA-256', fieldBytes: 32 },
  { name: 'ES384', coseNumber: -35, curve: 'P-384', hash: 'SHA-384', fieldBytes: 48 },
  { name: 'ES512', coseNumber: -36, curve: 'P-521', hash: 'SHA-512', fieldBytes: 66 },
];
