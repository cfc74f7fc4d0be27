import type { AttestationDocument } from '@nitro-enclaves/attestation';
import type { CheckOutcome } from '@nitro-enclaves/attestation/diagnosis';
import { CHECKS } from '@nitro-enclaves/attestation/diagnosis';
import { encodeHex } from '@nitro-enclaves/core';
import type { DescribedCertificate } from './account.ts';
import { formatMoment, textOf } from './account.ts';

/** An object of a command's JSON output. */
export type JsonObject = Readonly<Record<string, unknown>>;

function hexOf(bytes: Uint8Array | null): string | null {
  return bytes && encodeHex(bytes);
}

/** The fields of a document as JSON: bytes in hexadecimal, user data as text too where it is UTF-8. */
export function documentToJson(document: AttestationDocument): JsonObject {
  const { kind, moduleId, digest, timestamp, pcrs, certificate, caBundle, publicKey, userData, nonce } = document;
  return {
    kind,
    moduleId,
    digest,
    timestamp,
    time: formatMoment(timestamp),
    pcrs,
    publicKey: hexOf(publicKey),
    userData: hexOf(userData),
    userDataText: textOf(userData),
    nonce: hexOf(nonce),
    certificate: encodeHex(certificate),
    caBundle: caBundle.map(encodeHex),
    unknownFields: document.unknownFields.map(({ name }) => name),
  };
}

/** The certificates as JSON, root first; issuer and serial number are what a policy's `revoked` takes. */
export function chainToJson(chain: readonly DescribedCertificate[]): JsonObject[] {
  return chain.map(({ subject, issuer, serialNumber, notBefore, notAfter }) => ({
    subject,
    issuer,
    serialNumber,
    notBefore: formatMoment(notBefore),
    notAfter: formatMoment(notAfter),
  }));
}

/** The checks as JSON. */
export function checksToJson(outcomes: readonly CheckOutcome[]): JsonObject[] {
  return outcomes.map((entry) => ({
    check: entry.check,
    description: CHECKS[entry.check],
    outcome: entry.outcome,
    ...(entry.outcome === 'failed' && { code: entry.error.code, message: entry.error.message }),
  }));
}
