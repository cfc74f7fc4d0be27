import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { CertificateError, DerError, decodeEcdsaSignature, decodeHex, encodeHex } from '@nitro-enclaves/core';
import { p384 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

function codeOf(hex: string, size = 48): string | undefined {
  try {
    decodeEcdsaSignature(decodeHex(hex), size);
    return undefined;
  } catch (error) {
    if (error instanceof CertificateError || error instanceof DerError) return error.code;
    throw error;
  }
}

const concatenated = (r: string, s: string, size = 2) => encodeHex(decodeEcdsaSignature(decodeHex(pair(r, s)), size));

/** Ecdsa-Sig-Value of two integers, given by their content. */
function pair(r: string, s: string): string {
  const content = [r, s].map((integer) => `02${(integer.length / 2).toString(16).padStart(2, '0')}${integer}`).join('');
  return `30${(content.length / 2).toString(16).padStart(2, '0')}${content}`;
}

describe('an Ecdsa-Sig-Value', () => {
  it('becomes r and s, each filled up with zeros in front', () => {
    expect(concatenated('01', '0203')).toBe('00010203');
    expect(concatenated('00ffff', '008000')).toBe('ffff8000');
    expect(concatenated('00', '00')).toBe('00000000');
  });

  for (const [name, hex, code] of [
    ['a negative r', pair('80', '01'), 'CERTIFICATE_SIGNATURE_FORM'],
    ['a negative s', pair('01', 'ff'), 'CERTIFICATE_SIGNATURE_FORM'],
    ['an r of 49 bytes', pair(`01${'00'.repeat(48)}`, '01'), 'CERTIFICATE_SIGNATURE_FORM'],
    ['an s of 49 bytes', pair('01', `01${'00'.repeat(48)}`), 'CERTIFICATE_SIGNATURE_FORM'],
    ['a padded r', pair('0001', '01'), 'DER_INTEGER'],
    ['a padded s', pair('01', '0001'), 'DER_INTEGER'],
    ['an empty integer', pair('', '01'), 'DER_INTEGER'],
    ['a third integer', '3009020101020101020101', 'DER_TRAILING_BYTES'],
    ['one integer', '3003020101', 'DER_TRUNCATED'],
    ['bytes after it', `${pair('01', '01')}00`, 'DER_TRAILING_BYTES'],
    ['a length in a longer form', '308106020101020101', 'DER_LENGTH'],
    ['an indefinite length', '30800201010201010000', 'DER_LENGTH'],
    ['another type inside', '3006040101020101', 'DER_TAG'],
    ['r and s one after the other, no DER', '01'.repeat(96), 'DER_TAG'],
    ['nothing', '', 'DER_TRUNCATED'],
  ] as const) {
    it(`with ${name} is refused as ${code}`, () => expect(codeOf(hex)).toBe(code));
  }

  it('of any r and s is what @noble/curves reads', () => {
    const scalar = fc.bigInt({ min: 1n, max: p384.Point.Fn.ORDER - 1n });
    fc.assert(
      fc.property(scalar, scalar, (r, s) => {
        const signature = new p384.Signature(r, s);
        expect(decodeEcdsaSignature(signature.toBytes('der'), 48)).toEqual(signature.toBytes('compact'));
      }),
    );
  });

  it('verifies in the one form as it did in the other', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    for (let message = 0; message < 50; message += 1) {
      const content = Uint8Array.of(message);
      const signature = decodeEcdsaSignature(sign('sha384', content, privateKey), 48);
      expect(verify('sha384', content, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    }
  });
});
