import { concatBytes, decodeHex, encodeHex } from '@nitro-enclaves/core';
import { sha384 } from '@noble/hashes/sha2.js';
import { PCR_BYTES } from '../digests.ts';
import { fail } from '../error.ts';
import { parsePemCertificate, readSigningCertificate } from '../sign/certificate.ts';

function parsePcr(pcr: string | Uint8Array): Uint8Array {
  if (pcr instanceof Uint8Array ? pcr.length === PCR_BYTES : /^[0-9a-fA-F]{96}$/.test(pcr)) {
    return pcr instanceof Uint8Array ? pcr : decodeHex(pcr);
  }
  return fail('EIF_PCR_VALUE', `expected a PCR of ${PCR_BYTES} bytes, or 96 hexadecimal digits, found another length`);
}

/** A PCR before anything was extended into it: 96 zeros. */
export const ZERO_PCR: string = '0'.repeat(PCR_BYTES * 2);

/**
 * What a PCR that holds `pcr` (48 bytes, or 96 hexadecimal digits) holds after `data` has been extended into it:
 * H(pcr ‖ data). PCR16 to PCR31 begin as {@link ZERO_PCR} and belong to the enclave's program; an attestation document
 * shows one only when it has been locked.
 * @throws {EifError} `EIF_PCR_VALUE` when `pcr` is none.
 */
export function extendPcr(pcr: string | Uint8Array, data: Uint8Array): string {
  return encodeHex(sha384(concatBytes(parsePcr(pcr), data)));
}

/**
 * PCR3 of an enclave whose parent instance has the IAM role of `arn`, such as `arn:aws:iam::123456789012:role/Webserver`.
 * Source: Nitro Enclaves User Guide, "Where to get an enclave's measurements".
 * @throws {EifError} `EIF_ROLE_ARN` for anything but a role's ARN: an instance profile's gives another PCR3.
 */
export function pcr3FromRoleArn(arn: string): string {
  // A path may have any printable character of ASCII, a name only some (IAM, "IAM and AWS STS quotas").
  if (!/^arn:[a-z][a-z0-9-]*:iam::\d{12}:role\/(?:[!-~]+\/)?[\w+=,.@-]+$/.test(arn)) {
    fail(
      'EIF_ROLE_ARN',
      `expected a role's ARN, arn:<partition>:iam::<account>:role/<name>, found ${JSON.stringify(arn)}`,
    );
  }
  return extendPcr(ZERO_PCR, new TextEncoder().encode(arn));
}

/**
 * PCR4 of an enclave on the parent instance `instanceId`, such as `i-1234567890abcdef0`.
 * @throws {EifError} `EIF_INSTANCE_ID`.
 */
export function pcr4FromInstanceId(instanceId: string): string {
  if (!/^i-[0-9a-f]+$/.test(instanceId)) {
    fail('EIF_INSTANCE_ID', `expected an instance id such as i-1234567890abcdef0, found ${JSON.stringify(instanceId)}`);
  }
  return extendPcr(ZERO_PCR, new TextEncoder().encode(instanceId));
}

/**
 * PCR8 of an image signed with `certificate`: PEM (text or bytes), or DER. Of a PEM file the first certificate counts.
 * @throws {EifError} `EIF_CERTIFICATE_PEM` or `EIF_CERTIFICATE_DER`.
 */
export function pcr8FromCertificate(certificate: string | Uint8Array): string {
  const isDer = certificate instanceof Uint8Array && certificate[0] === 0x30;
  const { der } = isDer ? readSigningCertificate(certificate) : parsePemCertificate(certificate);
  return extendPcr(ZERO_PCR, sha384(der));
}
