import type { CborMap, CoseErrorCode } from '@nitro-enclaves/core';
import {
  CborError,
  CoseError,
  concatBytes,
  decodeCbor,
  decodeCoseSign1,
  decodeHex,
  encodeCbor,
  encodeCoseSign1,
  encodeHex,
  sigStructure,
} from '@nitro-enclaves/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const MESSAGE = {
  protectedHeader: decodeHex('a1013822'),
  payload: new TextEncoder().encode('payload'),
  signature: new Uint8Array(96).fill(7),
};
const ENCODED = encodeCoseSign1(MESSAGE);

function codeOf(bytes: Uint8Array): string | undefined {
  try {
    decodeCoseSign1(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof CoseError || error instanceof CborError) return error.code;
    throw error;
  }
}

const element = (hex: string) => decodeHex(hex);
const PROTECTED = encodeCbor(MESSAGE.protectedHeader);
const UNPROTECTED = element('a0');
const PAYLOAD = encodeCbor(MESSAGE.payload);
const SIGNATURE = encodeCbor(MESSAGE.signature);
const message = (...parts: Uint8Array[]) => concatBytes(element('84'), ...parts);

const REFUSED: readonly [name: string, bytes: Uint8Array, code: CoseErrorCode | string][] = [
  ['nothing', new Uint8Array(0), 'COSE_NOT_ARRAY'],
  ['a map', element('a0'), 'COSE_NOT_ARRAY'],
  ['an integer', element('00'), 'COSE_NOT_ARRAY'],
  ['null', element('f6'), 'COSE_NOT_ARRAY'],
  ['a PEM', new TextEncoder().encode('-----BEGIN CERTIFICATE-----'), 'COSE_NOT_ARRAY'],
  ['another tag', concatBytes(element('d1'), ENCODED), 'COSE_TAG'],
  ['the tag of COSE_Sign (98)', concatBytes(element('d862'), ENCODED), 'COSE_TAG'],
  ['the tag in a longer form', concatBytes(element('d812'), ENCODED), 'COSE_TAG'],
  ['the tag twice', concatBytes(element('d2d2'), ENCODED), 'COSE_TAG'],
  ['three elements', concatBytes(element('83'), PROTECTED, UNPROTECTED, PAYLOAD), 'COSE_ELEMENT_COUNT'],
  ['five elements', concatBytes(element('85'), ENCODED.subarray(1), element('f6')), 'COSE_ELEMENT_COUNT'],
  ['a count in a longer form', concatBytes(element('9804'), ENCODED.subarray(1)), 'COSE_ELEMENT_COUNT'],
  ['an indefinite array', concatBytes(element('9f'), ENCODED.subarray(1), element('ff')), 'COSE_INDEFINITE_ARRAY'],
  ['a protected header as a map', message(element('a1013822'), UNPROTECTED, PAYLOAD, SIGNATURE), 'COSE_PROTECTED_TYPE'],
  ['a protected header as text', message(element('6161'), UNPROTECTED, PAYLOAD, SIGNATURE), 'COSE_PROTECTED_TYPE'],
  ['an unprotected header as bytes', message(PROTECTED, element('40'), PAYLOAD, SIGNATURE), 'COSE_UNPROTECTED_TYPE'],
  ['an unprotected header as an array', message(PROTECTED, element('80'), PAYLOAD, SIGNATURE), 'COSE_UNPROTECTED_TYPE'],
  ['a detached payload', message(PROTECTED, UNPROTECTED, element('f6'), SIGNATURE), 'COSE_PAYLOAD_DETACHED'],
  ['a payload as text', message(PROTECTED, UNPROTECTED, element('6161'), SIGNATURE), 'COSE_PAYLOAD_TYPE'],
  ['an undefined payload', message(PROTECTED, UNPROTECTED, element('f7'), SIGNATURE), 'COSE_PAYLOAD_TYPE'],
  ['a signature as null', message(PROTECTED, UNPROTECTED, PAYLOAD, element('f6')), 'COSE_SIGNATURE_TYPE'],
  ['a signature as an array', message(PROTECTED, UNPROTECTED, PAYLOAD, element('80')), 'COSE_SIGNATURE_TYPE'],
  ['a payload in chunks', message(PROTECTED, UNPROTECTED, element('5f4100ff'), SIGNATURE), 'CBOR_INDEFINITE_STRING'],
  ['a label twice', message(PROTECTED, element('a201000100'), PAYLOAD, SIGNATURE), 'CBOR_DUPLICATE_KEY'],
  ['a trailing byte', concatBytes(ENCODED, element('00')), 'CBOR_TRAILING_BYTES'],
  ['more than 64 KiB', encodeCoseSign1({ ...MESSAGE, payload: new Uint8Array(65_536) }), 'CBOR_TOO_LARGE'],
];

describe('decoding a COSE_Sign1', () => {
  it('gives the very bytes of the message', () => {
    expect(decodeCoseSign1(ENCODED)).toEqual({
      ...MESSAGE,
      unprotectedHeader: new Map(),
      unprotectedBytes: element('a0'),
    });
  });

  it('takes tag 18', () => {
    expect(decodeCoseSign1(concatBytes(element('d2'), ENCODED))).toEqual(decodeCoseSign1(ENCODED));
  });

  it('decodes the unprotected header, and shows its bytes as they came', () => {
    const header: CborMap = new Map<string | number, Uint8Array | number>([
      [4, Uint8Array.of(1)],
      ['x', 2],
    ]);
    const filled = concatBytes(element('bf'), encodeCbor(header).subarray(1), element('ff'));
    const decoded = decodeCoseSign1(message(PROTECTED, filled, PAYLOAD, SIGNATURE));
    expect(decoded.unprotectedHeader).toEqual(header);
    expect(decoded.unprotectedBytes).toEqual(filled);
  });

  for (const [name, bytes, code] of REFUSED) {
    it(`refuses ${name} as ${code}`, () => expect(codeOf(bytes)).toBe(code));
  }

  it('refuses every truncation', () => {
    for (let length = 0; length < ENCODED.length; length += 1)
      expect(codeOf(ENCODED.subarray(0, length))).toBeDefined();
  });

  it('says which element is wrong', () => {
    const wrong = message(PROTECTED, UNPROTECTED, element('f6'), SIGNATURE);
    expect(() => decodeCoseSign1(wrong)).toThrow(expect.objectContaining({ path: '$.payload', name: 'CoseError' }));
  });

  it('copies: later writes to the input, a Buffer too, change nothing', () => {
    for (const input of [ENCODED.slice(), Buffer.from(ENCODED)]) {
      const decoded = decodeCoseSign1(input);
      input.fill(0);
      expect(decoded.payload).toEqual(MESSAGE.payload);
      expect(decoded.signature).toEqual(MESSAGE.signature);
    }
  });

  it('gives CborError or CoseError, or a message, for any bytes', () => {
    const spoiled = fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => {
      const copy = ENCODED.slice();
      copy[at % copy.length] = byte;
      return copy;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 150 }), spoiled), (bytes) => void codeOf(bytes)),
      {
        numRuns: 2000,
      },
    );
  });
});

describe('encoding a COSE_Sign1', () => {
  it('decodes to the same message, whatever its bytes', () => {
    const content = fc.uint8Array({ maxLength: 400 });
    fc.assert(
      fc.property(content, content, content, (protectedHeader, payload, signature) => {
        const given = { protectedHeader, payload, signature };
        expect(decodeCoseSign1(encodeCoseSign1(given))).toMatchObject(given);
      }),
    );
  });
});

describe('the Sig_structure', () => {
  it('is ["Signature1", protected, h\'\', payload] (RFC 9052 §4.4)', () => {
    const { protectedHeader, payload } = MESSAGE;
    expect(decodeCbor(sigStructure(MESSAGE))).toEqual(['Signature1', protectedHeader, new Uint8Array(0), payload]);
    expect(encodeHex(sigStructure(MESSAGE))).toBe(
      `846a5369676e61747572653144a10138224047${encodeHex(new TextEncoder().encode('payload'))}`,
    );
  });

  it('carries the received protected header, not another encoding of it', () => {
    const longForm = decodeHex('bf013822ff');
    expect(encodeHex(sigStructure({ ...MESSAGE, protectedHeader: longForm }))).toContain('45bf013822ff');
  });

  it('holds payloads whose length takes one, two, three and five bytes', () => {
    for (const length of [0, 23, 24, 255, 256, 65_535, 65_536]) {
      const payload = new Uint8Array(length);
      expect(decodeCbor(sigStructure({ ...MESSAGE, payload }), { maxBytes: 100_000 })).toMatchObject({ 3: payload });
    }
  });
});
