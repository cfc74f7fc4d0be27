import { decodeHex } from '@nitro-enclaves/core';
import { expectDocumentBytes, expectEncodedDocument, expectSize, MAX_DOCUMENT_BYTES, refuseText } from './input.ts';

/** Longest text that is decoded, in characters: hexadecimal takes two for each byte, line breaks and indents some more. */
const MAX_TEXT_LENGTH = 4 * MAX_DOCUMENT_BYTES;

type Encoding = 'hexadecimal' | 'base64' | 'other';

/** Tells how text may encode a document; refuses what is plainly something else, by its name. */
function encodingOf(text: string): Encoding {
  expectEncodedDocument(text);
  if (/^(0x)?[0-9a-f\s]+$/i.test(text)) return 'hexadecimal';
  return /^[\w+/\s-]+={0,2}$/.test(text) ? 'base64' : 'other';
}

/** Decodes hexadecimal, or base64 of either alphabet, with or without padding. */
function decodeText(input: string): Uint8Array {
  expectSize(input.length, MAX_TEXT_LENGTH, 'characters');
  const text = input.trim();
  expectSize(text.length, MAX_TEXT_LENGTH, 'characters');
  const encoding = encodingOf(text);
  if (encoding === 'other') refuseText('other text', 'give the document as bytes, base64 or hexadecimal');
  const isHex = encoding === 'hexadecimal';
  const digits = isHex ? text.replace(/^0x/i, '') : text;
  const dense = digits.replace(/[\s=]/g, '').replace(/-/g, '+').replace(/_/g, '/');
  // Whole bytes have an even number of hexadecimal digits; of base64, one character of four is no byte.
  if (isHex ? dense.length % 2 : dense.length % 4 === 1) {
    refuseText(`${encoding} text that ends early`, 'check that all of it was copied');
  }
  return isHex ? decodeHex(dense) : Uint8Array.from(atob(dense), (character) => character.charCodeAt(0));
}

/** The mark of a text file in UTF-16, as Windows PowerShell writes them. */
const UTF16_MARK = [0xff, 0xfe] as const;

/**
 * `input` as text if all of it is: UTF-8 or marked UTF-16, no control characters. No document is: in UTF-8, 84 begins nothing,
 * and neither does the a1 of the protected header.
 */
function textOf(input: Uint8Array): string | undefined {
  const encoding = UTF16_MARK.every((byte, index) => input[index] === byte) ? 'utf-16le' : 'utf-8';
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(input);
    return /[^\P{Cc}\s]/u.test(text) ? undefined : text.trim();
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Bytes as they are, or what the text in them stands for. */
function readBytes(input: Uint8Array): Uint8Array {
  // Too large for a document in any encoding: nothing is done over a flood.
  if (!(input instanceof Uint8Array) || input.length > MAX_TEXT_LENGTH) return input;
  const text = textOf(input);
  return text === undefined ? input : decodeText(text);
}

/**
 * The bytes of a document that may have been encoded for transport: binary, base64 (either alphabet, padded or not) or
 * hexadecimal (`0x` before it or not), the text as a string or as bytes (of a file, say, in UTF-8 or UTF-16). Line breaks and
 * blanks are passed over. Nothing is
 * verified, nor even parsed.
 * @throws {AttestationError} `DOCUMENT_EMPTY`, `DOCUMENT_TOO_LARGE`, `DOCUMENT_IS_TEXT` (a PEM, a JSON, base64 of base64 or
 *   any other text) or `DOCUMENT_NOT_BYTES`.
 */
export function readAttestationDocumentBytes(input: Uint8Array | string): Uint8Array {
  const bytes = typeof input === 'string' ? decodeText(input) : readBytes(input);
  const inner = bytes === input ? undefined : textOf(bytes);
  if (inner !== undefined)
    refuseText(`${encodingOf(inner)} text inside the text (base64 of base64?)`, 'decode it once');
  expectDocumentBytes(bytes);
  return bytes;
}
