import { encodeHex } from '@nitro-enclaves/core';
import type { PathCertificate } from './certificate-path.ts';
import { readPathCertificate } from './certificate-path.ts';
import { refusePolicy } from './error.ts';

/** SHA-256 of {@link AWS_NITRO_ROOT_G1}, as AWS publishes it ("Verifying the root of trust", Nitro Enclaves User Guide). */
export const AWS_NITRO_ROOT_G1_SHA256 = '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b';

const ROOT_G1_BASE64 =
  'MIICETCCAZagAwIBAgIRAPkxdWgbkK/hHUbMtOTn+FYwCgYIKoZIzj0EAwMwSTELMAkGA1UEBhMCVVMxDzANBgNVBAoMBkFtYXpv' +
  'bjEMMAoGA1UECwwDQVdTMRswGQYDVQQDDBJhd3Mubml0cm8tZW5jbGF2ZXMwHhcNMTkxMDI4MTMyODA1WhcNNDkxMDI4MTQyODA1' +
  'WjBJMQswCQYDVQQGEwJVUzEPMA0GA1UECgwGQW1hem9uMQwwCgYDVQQLDANBV1MxGzAZBgNVBAMMEmF3cy5uaXRyby1lbmNsYXZl' +
  'czB2MBAGByqGSM49AgEGBSuBBAAiA2IABPwCVOumCMHzaHDimtqQvkY4MpJzbolL//Zy2YlES1BR5TSksfbb48C8WBoyt7F2Bw7e' +
  'EtaaP+ohG2bnUs990d0JX28TcPQXCEPZ3BABIeTPYwEoCWZEh8l5YoQwTcU/9KNCMEAwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4E' +
  'FgQUkCW1DdkFR+eWw5b6cp3PmanfS5YwDgYDVR0PAQH/BAQDAgGGMAoGCCqGSM49BAMDA2kAMGYCMQCjfy+Rocm9Xue4YnwWmNJV' +
  'A44fA0P5W2OpYow9OYCVRaEevL8uO1XYru5xtMPWrfMCMQCi85sWBbJwKKXdS6BptQFuZbT73o/gBh1qUxl/nNr12UO8Yfwr6wPL' +
  'b+6NIwLz3/Y=';

/** The AWS Nitro Enclaves Root-G1 certificate (DER), valid from 2019-10-28 to 2049-10-28, of the commercial AWS regions. */
export const AWS_NITRO_ROOT_G1: Uint8Array = Uint8Array.from(atob(ROOT_G1_BASE64), (character) =>
  character.charCodeAt(0),
);

/** The root as the verification reads it, a copy of its own: what a program writes into the exported bytes changes nothing. */
export const AWS_ROOT: PathCertificate = readPathCertificate(AWS_NITRO_ROOT_G1, '$.cabundle[0]');

let isProved = false;

/** Whether {@link AWS_ROOT} was found to be the published root, once for this program: nobody can write into it. */
export function isRootProved(): boolean {
  return isProved;
}

/**
 * Refuses to verify anything unless `digest`, the SHA-256 of {@link AWS_ROOT}, is the published one: a build that lost a byte
 * must trust nobody.
 */
export function expectPublishedRoot(digest: Uint8Array): void {
  const found = encodeHex(digest);
  isProved = found === AWS_NITRO_ROOT_G1_SHA256;
  if (isProved) return;
  refusePolicy('POLICY_TRUST_ANCHOR', 'package', 'the embedded AWS root (reinstall it)', `SHA-256 ${found}`);
}
