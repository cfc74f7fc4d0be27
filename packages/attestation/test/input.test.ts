import { parseAttestationDocument, readAttestationDocumentBytes } from '@nitro-enclaves/attestation';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from './refusals.ts';
import { issue } from './synthetic-documents.ts';

const document = await issue();
const base64 = Buffer.from(document).toString('base64');
const hex = Buffer.from(document).toString('hex');
const bytes = (text: string) => new TextEncoder().encode(text);

function messageOf(body: () => unknown): string {
  try {
    body();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'accepted';
}

describe('a document is read', () => {
  const lines = (text: string) => text.replace(/.{64}/g, '$&\n');

  it.each([
    ['bytes', document],
    ['base64', base64],
    ['base64 in lines', lines(base64)],
    ['base64 in lines of a file of Windows', `\ufeff${lines(base64).replace(/\n/g, '\r\n')}\r\n`],
    ['base64 without padding', base64.replace(/=+$/, '')],
    ['base64url', Buffer.from(document).toString('base64url')],
    ['hexadecimal', hex],
    ['upper-case hexadecimal', hex.toUpperCase()],
    ['hexadecimal in columns', hex.replace(/.{2}/g, '$& ')],
    ['a file of base64', bytes(`${lines(base64)}\n`)],
    ['a file of hexadecimal', bytes(hex)],
    ['hexadecimal that says so', `0x${hex}`],
    ['a file of base64 with a mark', bytes(`\ufeff${base64}\n`)],
    ['a file of base64 of Windows PowerShell', new Uint8Array(Buffer.from(`\ufeff${base64}\r\n`, 'utf16le'))],
  ])('from %s', (_, input) => {
    expect(readAttestationDocumentBytes(input)).toEqual(document);
  });

  it('from base64 and hexadecimal of any bytes that are no text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (content) => {
        const binary = Uint8Array.of(0x84, ...content);
        expect(readAttestationDocumentBytes(Buffer.from(binary).toString('base64'))).toEqual(binary);
        expect(readAttestationDocumentBytes(Buffer.from(binary).toString('hex'))).toEqual(binary);
      }),
    );
  });
});

/** What is not a document, the code, and words of the one sentence that says so. */
const REFUSED: readonly (readonly [what: string, input: unknown, code: string, words: string[]])[] = [
  ['nothing', new Uint8Array(), 'DOCUMENT_EMPTY', ['found nothing', 'check what was read']],
  ['no text', '', 'DOCUMENT_EMPTY', ['found nothing']],
  ['blanks', ' \n\t', 'DOCUMENT_EMPTY', ['found nothing']],
  ['a PEM', '-----BEGIN CERTIFICATE-----\nMIIC\n', 'DOCUMENT_IS_TEXT', ['PEM', 'give the document, not a certificate']],
  ['the file of a PEM', bytes('-----BEGIN CERTIFICATE-----\nMIIC'), 'DOCUMENT_IS_TEXT', ['PEM']],
  ['a JSON object', `{"document":"${base64}"}`, 'DOCUMENT_IS_TEXT', ['JSON', 'give the value in it']],
  ['a JSON string', JSON.stringify(base64), 'DOCUMENT_IS_TEXT', ['JSON']],
  ['a JSON array', JSON.stringify([...document]), 'DOCUMENT_IS_TEXT', ['JSON']],
  ['the file of a JSON', bytes(' {"a":1}'), 'DOCUMENT_IS_TEXT', ['JSON']],
  ['a text file', bytes('Hello, world!\n'), 'DOCUMENT_IS_TEXT', ['other text']],
  ['text', 'Hello, world!', 'DOCUMENT_IS_TEXT', ['other text', 'bytes, base64 or hexadecimal']],
  ['base64 of base64', Buffer.from(base64).toString('base64'), 'DOCUMENT_IS_TEXT', ['base64 of base64', 'decode it']],
  ['base64 of a PEM', btoa('-----BEGIN CERTIFICATE-----\nMIIC'), 'DOCUMENT_IS_TEXT', ['PEM']],
  ['base64 of a text file', Buffer.from('Grüße\n').toString('base64'), 'DOCUMENT_IS_TEXT', ['other text inside']],
  ['base64 of base64 and a line break', btoa(`${base64}\n`), 'DOCUMENT_IS_TEXT', ['base64 text inside']],
  ['base64 of hexadecimal', btoa(hex), 'DOCUMENT_IS_TEXT', ['text inside the text']],
  [
    'hexadecimal that lost a digit',
    hex.slice(1),
    'DOCUMENT_IS_TEXT',
    ['hexadecimal text that ends early', 'all of it was copied'],
  ],
  ['base64 that ends early', 'hEShA', 'DOCUMENT_IS_TEXT', ['ends early']],
  ['100 MB of bytes', new Uint8Array(100_000_000).fill(0x84), 'DOCUMENT_TOO_LARGE', ['32768 bytes', '100000000']],
  ['100 MB of text', 'A'.repeat(100_000_000), 'DOCUMENT_TOO_LARGE', ['131072 characters', '100000000']],
  ['a file of 100 MB of text', new Uint8Array(100_000_000).fill(0x41), 'DOCUMENT_TOO_LARGE', ['100000000']],
  ['base64 of too much', Buffer.alloc(40_000, 0x84).toString('base64'), 'DOCUMENT_TOO_LARGE', ['32768 bytes']],
  ['a number', 7, 'DOCUMENT_NOT_BYTES', ['found number']],
  ['an array of numbers', [0x84], 'DOCUMENT_NOT_BYTES', ['found object']],
  ['null', null, 'DOCUMENT_NOT_BYTES', ['Uint8Array']],
];

/** Text that only what decodes text knows as such. */
const REFUSED_AS_FILE: typeof REFUSED = [
  ['a text file of another language', bytes('Grüße aus Zürich, 你好\n'), 'DOCUMENT_IS_TEXT', ['other text']],
  ['a text file with a mark', bytes('\ufeffHello, world!\n'), 'DOCUMENT_IS_TEXT', ['other text']],
  ['a PEM file with a mark', bytes('\ufeff-----BEGIN CERTIFICATE-----\nMIIC'), 'DOCUMENT_IS_TEXT', ['a PEM']],
  ['a text file in UTF-16', Buffer.from('\ufeffHello, world!', 'utf16le'), 'DOCUMENT_IS_TEXT', ['other text']],
];

describe('what is not a document', () => {
  it.each([...REFUSED, ...REFUSED_AS_FILE])(
    '(%s) is refused in one sentence of what was expected, found, and is to be done',
    (_, input, code, words) => {
      const read = () => readAttestationDocumentBytes(input as Uint8Array);
      expect(codeOf(read)).toBe(code);
      const message = messageOf(read);
      for (const word of ['expected an attestation document', ...words]) expect(message).toContain(word);
      expect(message).not.toContain('\n');
      expect(message.length).toBeLessThan(200);
    },
  );

  it.each(REFUSED.filter(([, input]) => input instanceof Uint8Array))(
    '(%s) is refused where bytes are taken, too',
    (_, input, code) => {
      expect(codeOf(() => parseAttestationDocument(input as Uint8Array))).toBe(code);
    },
  );

  it.each([
    ['base64', bytes(base64)],
    ['hexadecimal', bytes(hex)],
  ])('(bytes of %s text) is refused with the name of what decodes it', (name, input) => {
    const message = messageOf(() => parseAttestationDocument(input));
    expect(message).toContain('found text');
    expect(message).toMatch(new RegExp(`give .*${name}.* to readAttestationDocumentBytes`));
  });

  it('(text where bytes are taken) is refused with the name of what takes it', () => {
    expect(messageOf(() => parseAttestationDocument(base64 as never))).toContain('readAttestationDocumentBytes');
  });
});
