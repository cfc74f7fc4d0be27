import { decodeHex } from '@nitro-enclaves/core';
import {
  expectDocumentBytes,
  expectEncodedDocument,
  expectSize,
  MAX_DOCUMENT_BYTES,
  refuseText,
  sampleText,
} from './input.ts';

/** Longest text that is decoded, in characters: hexadecimal takes two for each byte, line breaks and indents some more. */
const MAX_TEXT_LENGTH = 4 * MAX_DOCUMENT_BYTES;

type Encoding = 'hexadecimal' | 'base64' | 'other';

/** Tells how text may encode a document; refuses what is plainly something else, by its name. */
function encodingOf(text: string): Encoding {
  expectEncodedDocument(text);
  if (/^[0-9a-f\s]+$/i.test(text)) return 'hexadecimal';
  return /^[\w+/\s-]+={0,2}$/.test(text) ? 'base64' : 'other';
}

/** Decodes hexadecimal, or base64 of either alphabet, with or without padding. */
function decodeText(input: string): Uint8Array {
  expectSize(input.length, MAX_TEXT_LENGTH, 'characters');
  const text = input.trim();
  expectSize(text.length, MAX_TEXT_LENGTH, 'characters');
  const encoding = encodingOf(text);
  if (encoding === 'other') refuseText('other text', 'give the document as bytes, base64 or hexadecimal');
  const dense = text.replace(/[\s=]/g, '').replace(/-/g, '+').replace(/_/g, '/');
  const isHex = encoding === 'hexadecimal';
  // Whole bytes have an even number of hexadecimal digits; of base64, one character of four is no byte.
  if (isHex ? dense.length % 2 : dense.length % 4 === 1) {
    refuseText(`${encoding} text that ends early`, 'check that all of it was copied');
  }
  return isHex ? decodeHex(dense) : Uint8Array.from(atob(dense), (character) => character.charCodeAt(0));
}

/** Bytes as they are, or what the text in them stands for. */
function readBytes(input: Uint8Array): Uint8Array {
  if (!(input instanceof Uint8Array) || sampleText(input) === undefined) return input;
  expectSize(input.length, MAX_TEXT_LENGTH, 'characters');
  return decodeText(new TextDecoder().decode(input));
}

/**
 * The bytes of a document that may have been encoded for transport: binary, base64 (either alphabet, padded or not) or
 * hexadecimal, the text as a string or as bytes (of a file, say). Line breaks and blanks are passed over. Nothing is
 * verified, nor even parsed.
 * @throws {AttestationError} `DOCUMENT_EMPTY`, `DOCUMENT_TOO_LARGE`, `DOCUMENT_IS_TEXT` (a PEM, a JSON, base64 of base64 or
 *   any other text) or `DOCUMENT_NOT_BYTES`.
 */
export function readAttestationDocumentBytes(input: Uint8Array | string): Uint8Array {
  const bytes = typeof input === 'string' ? decodeText(input) : readBytes(input);
  const inner = bytes === input ? undefined : sampleText(bytes);
  if (inner !== undefined)
    refuseText(`${encodingOf(inner)} text inside the text (base64 of base64?)`, 'decode it once');
  expectDocumentBytes(bytes);
  return bytes;
}
