import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { AttestationError, readAttestationDocumentBytes } from '@nitro-enclaves/attestation';
import { concatBytes } from '@nitro-enclaves/core';
import type { CommandContext } from '../command-context.ts';

/** What the argument may be; for `--help`. */
export const DOCUMENT_ARGUMENT = 'a file, - for standard input, or the document itself in base64 or hexadecimal';

/** Where reading stops: whatever this is, it is no document, and standard input may never end. */
const MAX_INPUT_BYTES = 1_048_576;
/** Shorter texts are taken for names of files: a document has thousands of characters. */
const MIN_TEXT_LENGTH = 1024;
/** No file has a name so long (PATH_MAX), whatever it consists of. */
const LONGER_THAN_ANY_PATH = 4096;

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_INPUT_BYTES) {
      const sentence = 'expected an attestation document of a few thousand bytes, found more than 1048576';
      throw new AttestationError('DOCUMENT_TOO_LARGE', `${sentence}: give the document alone`);
    }
  }
  return concatBytes(...chunks);
}

function isDocumentText(argument: string): boolean {
  if (argument.length >= LONGER_THAN_ANY_PATH) return true;
  return argument.length >= MIN_TEXT_LENGTH && /^[A-Za-z0-9+/_=\s-]+$/.test(argument);
}

/** Reads a document from wherever the argument says, in whatever encoding it is there. */
export async function readDocument(argument: string, context: CommandContext): Promise<Uint8Array> {
  if (argument === '-') return readAttestationDocumentBytes(await readAll(context.stdin));
  if (isDocumentText(argument)) return readAttestationDocumentBytes(argument);
  return readAttestationDocumentBytes(await readAll(createReadStream(resolve(context.cwd, argument))));
}
