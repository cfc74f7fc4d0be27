import { bytesEqual, copyBytes } from '@nitro-enclaves/core';
import type { AsnType } from 'asn1js';
import { Constructed, fromBER, Null, OctetString, Sequence } from 'asn1js';
import { AlgorithmIdentifier, RSAESOAEPParams } from 'pkijs';
import { expect } from './ber-reader.ts';

const OID = {
  RSAES_OAEP: '1.2.840.113549.1.1.7',
  MGF1: '1.2.840.113549.1.1.8',
  P_SPECIFIED: '1.2.840.113549.1.1.9',
  SHA256: '2.16.840.1.101.3.4.2.1',
} as const;

const CONTEXT_SPECIFIC = 3;

/** Algorithm and parameters: pkijs reads what it knows and passes over the rest, so there must be no rest. */
function isAlgorithm(value: unknown): value is Sequence {
  return value instanceof Sequence && value.valueBlock.value.length <= 2;
}

/** Without parameters, or with NULL: the two forms of a hash algorithm (RFC 5754 §2). */
function isSha256({ algorithmId, algorithmParams }: AlgorithmIdentifier): boolean {
  return algorithmId === OID.SHA256 && (algorithmParams === undefined || algorithmParams instanceof Null);
}

function isEmptyLabel({ algorithmId, algorithmParams }: AlgorithmIdentifier): boolean {
  const isEmpty = algorithmParams instanceof OctetString && algorithmParams.getValue().byteLength === 0;
  return algorithmId === OID.P_SPECIFIED && isEmpty;
}

/** `[index] EXPLICIT AlgorithmIdentifier`: hash, mask generation and label come in this order. */
function isParameter(value: AsnType, index: number): boolean {
  const { tagClass, tagNumber } = value.idBlock;
  const content = value instanceof Constructed ? value.valueBlock.value : [];
  return tagClass === CONTEXT_SPECIFIC && tagNumber === index && content.length === 1 && isAlgorithm(content[0]);
}

/** `RSAES-OAEP-params` of SHA-256, MGF1 with SHA-256 and no label (RFC 4055 §4.1). */
function expectSha256Twice(parameters: Sequence): void {
  expect(parameters.valueBlock.value.every(isParameter), 'parameters of OAEP');
  const { hashAlgorithm, maskGenAlgorithm, pSourceAlgorithm } = new RSAESOAEPParams({ schema: parameters });
  const mgfHash: unknown = maskGenAlgorithm.algorithmParams;
  expect(isSha256(hashAlgorithm), 'OAEP with SHA-256');
  expect(maskGenAlgorithm.algorithmId === OID.MGF1 && isAlgorithm(mgfHash), 'OAEP with MGF1');
  expect(isSha256(new AlgorithmIdentifier({ schema: mgfHash })), 'MGF1 with SHA-256');
  // Absent, as KMS leaves it, pkijs fills in a default of its own, which is not the empty one.
  expect(parameters.valueBlock.value.length === 2 || isEmptyLabel(pSourceAlgorithm), 'the empty label');
}

function parseAlgorithm(encoded: Uint8Array): AlgorithmIdentifier {
  // Without `parseEmbedded: false`, octets that happen to look like BER would be taken apart.
  const { offset, result } = fromBER(encoded, { parseEmbedded: false, maxDepth: 8, maxNodes: 64 });
  expect(offset === encoded.length && isAlgorithm(result), 'an AlgorithmIdentifier');
  return new AlgorithmIdentifier({ schema: result });
}

/**
 * Encodings that were found to be the one algorithm, the latest first. KMS writes one, every time, and what the same bytes
 * mean does not change; parsing them takes pkijs as long as the rest of a call.
 */
const accepted: Uint8Array[] = [];
const MAX_ACCEPTED = 4;

/**
 * Takes the AlgorithmIdentifier of RSAES-OAEP with SHA-256 twice and the empty label, in whatever encoding. PKCS #1 v1.5, or
 * SHA-1 (the default of both), would be a downgrade.
 * @throws {EnvelopeShapeError} or an error of the ASN.1 libraries.
 */
export function expectOaepSha256(encoded: Uint8Array): void {
  if (accepted.some((known) => bytesEqual(known, encoded))) return;
  const { algorithmId, algorithmParams } = parseAlgorithm(encoded);
  expect(algorithmId === OID.RSAES_OAEP && algorithmParams instanceof Sequence, 'RSAES-OAEP');
  expectSha256Twice(algorithmParams);
  accepted.unshift(copyBytes(encoded));
  accepted.splice(MAX_ACCEPTED);
}
