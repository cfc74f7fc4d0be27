import type { AttestationErrorCode } from './error.ts';
import { AttestationError } from './error.ts';

/** Longest document that is looked at, in bytes. Genuine ones have 4 to 8 KiB, and a payload of at most 16 KiB. */
export const MAX_DOCUMENT_BYTES = 32_768;
/** How much of the input is looked at to tell what it is. */
const SAMPLE_BYTES = 256;

/** Refuses what is no document: says what it is and what to do. */
function refuse(code: AttestationErrorCode, found: unknown, remedy: string): never {
  throw new AttestationError(code, `expected an attestation document, found ${found}: ${remedy}`);
}

export function refuseText(found: string, remedy: string): never {
  return refuse('DOCUMENT_IS_TEXT', found, remedy);
}

/** Size first: nothing is done over a flood. */
export function expectSize(length: number, most: number, unit: string): void {
  if (length === 0) refuse('DOCUMENT_EMPTY', 'nothing', 'check what was read');
  if (length > most) {
    refuse('DOCUMENT_TOO_LARGE', `${length} ${unit}`, `give the document alone, at most ${most} ${unit}`);
  }
}

/** Refuses text that is plainly something else, by its name. */
export function expectEncodedDocument(text: string): void {
  if (/^-----BEGIN /.test(text)) refuseText('a PEM', 'give the document, not a certificate');
  if (/^[{["]/.test(text)) refuseText('JSON', 'give the value in it');
}

/** The beginning of `input` if all of it is text; a document begins with 84 or d2, which no text does. */
function sampleText(input: Uint8Array): string | undefined {
  if ((input[0] ?? 0) > 0x7e) return undefined;
  const sample = String.fromCharCode(...input.subarray(0, SAMPLE_BYTES));
  return /^[\t-\r -~]+$/.test(sample) ? sample.trim() : undefined;
}

/** Refuses what is plainly not a document, in a sentence that says what it is: most of it is text of some sort. */
export function expectDocumentBytes(input: Uint8Array): void {
  const remedy = 'give bytes, or base64 or hexadecimal text to readAttestationDocumentBytes';
  if (!(input instanceof Uint8Array)) refuse('DOCUMENT_NOT_BYTES', `${typeof input}, no Uint8Array`, remedy);
  expectSize(input.length, MAX_DOCUMENT_BYTES, 'bytes');
  const text = sampleText(input);
  if (text === undefined) return;
  expectEncodedDocument(text);
  refuseText('text', remedy);
}
