import type { AttestationDocument } from '@nitro-enclaves/attestation';
import type { CheckOutcome } from '@nitro-enclaves/attestation/diagnosis';
import { CHECKS } from '@nitro-enclaves/attestation/diagnosis';
import { encodeHex } from '@nitro-enclaves/core';
import { escapeControls } from '../output.ts';

/** A certificate as far as an account of it goes. */
export interface DescribedCertificate {
  readonly subject: string;
  /** Name, DER in hexadecimal. */
  readonly issuer: string;
  /** INTEGER content, hexadecimal. */
  readonly serialNumber: string;
  /** In ms since the epoch. */
  readonly notBefore: number;
  /** In ms since the epoch. */
  readonly notAfter: number;
}

const MARKS: Readonly<Record<CheckOutcome['outcome'], string>> = {
  passed: '✓',
  failed: '✗',
  'not-asked': '-',
  'not-reached': '?',
};

const LEGEND = '✓ passed  ✗ failed  - not asked for by the policy  ? not reached';

const LAST_MOMENT = 8.64e15;
const UNITS = [
  ['year', 365 * 86_400_000],
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['second', 1000],
] as const;

/** A moment as ISO 8601; one that no calendar has as the number it is. */
export function formatMoment(time: number): string {
  return time <= LAST_MOMENT ? new Date(time).toISOString() : `${time} ms`;
}

/** A span of time in the two greatest units that it has. */
function formatSpan(milliseconds: number): string {
  let rest = milliseconds;
  const parts: string[] = [];
  for (const [unit, length] of UNITS) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0) parts.push(`${count} ${unit}${count === 1 ? '' : 's'}`);
  }
  return parts.slice(0, 2).join(' ') || '0 seconds';
}

function section(title: string, lines: readonly string[]): string {
  return `${title}\n${lines.map((line) => `  ${line}\n`).join('')}\n`;
}

/** One line for each check, and what was wrong where it failed. */
export function describeChecks(outcomes: readonly CheckOutcome[]): string {
  const lines = outcomes.flatMap((entry) => [
    `${MARKS[entry.outcome]} ${CHECKS[entry.check]}`,
    ...(entry.outcome === 'failed' ? [`    ${entry.error.code}: ${escapeControls(entry.error.message)}`] : []),
  ]);
  return section('Checks', [...lines, LEGEND]);
}

const BYTES_SHOWN = 32;

function describeBytes(bytes: Uint8Array | null): string {
  if (bytes === null) return 'none';
  const rest = bytes.length > BYTES_SHOWN ? '…' : '';
  return `${bytes.length} bytes${bytes.length > 0 ? `: ${encodeHex(bytes.subarray(0, BYTES_SHOWN))}${rest}` : ''}`;
}

/** `bytes` as text, or `null` when they are no UTF-8. */
export function textOf(bytes: Uint8Array | null): string | null {
  try {
    return bytes === null ? null : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/** The fields of a document. */
export function describeFields(document: AttestationDocument): string {
  const { kind, moduleId, timestamp, publicKey, userData, nonce, unknownFields } = document;
  const text = textOf(userData);
  return section('Document', [
    `module id    ${escapeControls(moduleId)} (${kind})`,
    `timestamp    ${formatMoment(timestamp)}`,
    `public key   ${describeBytes(publicKey)}`,
    `user data    ${describeBytes(userData)}`,
    ...(text ? [`  as text    ${escapeControls(text)}`] : []),
    `nonce        ${describeBytes(nonce)}`,
    ...unknownFields.map(({ name }) => `unknown      ${escapeControls(name)}`),
  ]);
}

/** The registers; those of zeros in one line. */
export function describePcrs({ pcrs }: AttestationDocument): string {
  const entries = Object.entries(pcrs);
  const zeros = entries.filter(([, value]) => /^0+$/.test(value)).map(([index]) => index);
  const others = entries.filter(([, value]) => !/^0+$/.test(value));
  return section('PCRs', [
    ...others.map(([index, value]) => `PCR${index.padEnd(3)} ${value}`),
    ...(zeros.length > 0 ? [`zero   ${zeros.join(', ')}`] : []),
  ]);
}

function describeCertificate(certificate: DescribedCertificate | null): string[] {
  if (certificate === null) return ['not a certificate'];
  const { subject, notBefore, notAfter } = certificate;
  const span = formatSpan(notAfter - notBefore);
  return [escapeControls(subject), `    ${formatMoment(notBefore)} to ${formatMoment(notAfter)} (${span})`];
}

/** The certificates from the root down, with their lifetimes; `null` for what is none. */
export function describeChain(chain: readonly (DescribedCertificate | null)[]): string {
  return section('Chain', chain.flatMap(describeCertificate));
}
