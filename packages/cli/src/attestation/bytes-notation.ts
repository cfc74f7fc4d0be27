import { decodeHex } from '@nitro-enclaves/core';

/** How bytes are written in options and policy files; for `--help`. */
export const BYTES_NOTATION = 'hexadecimal, base64:…, or utf8:…';

type Decode = (text: string) => Uint8Array;

const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['hex', decodeHex],
  ['base64', decodeBase64],
  ['utf8', (text) => new TextEncoder().encode(text)],
]);

function decodeBase64(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw new RangeError('expected base64');
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/**
 * The bytes that `text` stands for: `base64:…`, `utf8:…`, `hex:…`, or hexadecimal without a prefix.
 * @throws {RangeError} when it is in none of these notations.
 */
export function parseBytes(text: string): Uint8Array {
  const [, notation = 'hex', content = text] = text.match(/^(hex|base64|utf8):(.*)$/s) ?? [];
  const decode = DECODERS.get(notation) ?? decodeHex;
  try {
    return decode(content);
  } catch (cause) {
    throw new RangeError(`expected bytes as ${BYTES_NOTATION}`, { cause });
  }
}
