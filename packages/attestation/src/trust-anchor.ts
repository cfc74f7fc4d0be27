import { encodeHex } from '@nitro-enclaves/core';
import type { PathCertificate } from './certificate-path.ts';
import { readPathCertificate } from './certificate-path.ts';

/** SHA-256 of the AWS Nitro Enclaves Root-G1 certificate (DER), as AWS publishes it ("Verifying the root of trust", Nitro Enclaves User Guide). */
export const AWS_NITRO_ROOT_G1_SHA256 = '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b';

let recognized: PathCertificate | undefined;

/** AWS's root, read once for this program; `undefined` until a document brought it. */
export function awsRoot(): PathCertificate | undefined {
  return recognized;
}

/**
 * Takes the first certificate of a document for AWS's root if `digest`, its SHA-256, is the published one. Every document
 * carries the root, so that its digest is enough to pin each of its bytes; a root with the same name, or even with the same
 * key, has another one. From then on roots are compared byte by byte.
 */
export function recognizeRoot(encoded: Uint8Array, digest: Uint8Array): PathCertificate | undefined {
  if (encodeHex(digest) === AWS_NITRO_ROOT_G1_SHA256) recognized = readPathCertificate(encoded, '$.cabundle[0]');
  return recognized;
}
