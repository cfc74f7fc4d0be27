// ECDSA over P-384 with SHA-384, signatures as r and s one after the other: each cryptography that documents are verified
// with, behind the checks that stand before it.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { concatBytes, decodeHex } from '@nitro-enclaves/core';
import { p384 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NitroCrypto } from '../src/crypto.ts';
import { NODE_CRYPTO, SYNC_NODE_CRYPTO } from '../src/node/node-crypto.ts';
import { isSignatureInRange, isUncompressedPoint, P384_SIGNATURE_BYTES } from '../src/p384.ts';
import { WEB_CRYPTO } from '../src/web-crypto.ts';

const CRYPTOS: readonly [name: string, crypto: NitroCrypto][] = [
  ['node:crypto at once', SYNC_NODE_CRYPTO],
  ['node:crypto on its threads', NODE_CRYPTO],
  ['WebCrypto', WEB_CRYPTO],
];

interface Signed {
  readonly point: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** As a verification does it: the form of point and signature first, only then the cryptography. */
async function isAccepted(crypto: NitroCrypto, { point, message, signature }: Signed): Promise<boolean> {
  if (!isUncompressedPoint(point)) return false;
  if (signature.length !== P384_SIGNATURE_BYTES || !isSignatureInRange(signature)) return false;
  return (await crypto.verify(point, message, signature)) === true;
}

const ORDER = p384.Point.Fn.ORDER;
const FIELD = p384.Point.Fp.ORDER;

const integer = (value: bigint) => decodeHex(value.toString(16).padStart(96, '0'));
const joined = (r: bigint, s: bigint) => concatBytes(integer(r), integer(s));

const secretKey = fc.bigInt({ min: 1n, max: ORDER - 1n }).map(integer);

function sign(secret: Uint8Array, message: Uint8Array): Signed & { r: bigint; s: bigint } {
  const signature = p384.sign(message, secret, { lowS: false });
  const { r, s } = p384.Signature.fromBytes(signature);
  return { point: p384.getPublicKey(secret, false), message, signature, r, s };
}

interface Group {
  readonly publicKey: { readonly uncompressed: string };
  readonly tests: readonly {
    readonly tcId: number;
    readonly comment: string;
    readonly msg: string;
    readonly sig: string;
    readonly result: 'valid' | 'invalid';
  }[];
}

const file = join(process.env['NITRO_VECTORS'] ?? '', 'conformance', 'ecdsa_secp384r1_sha384_p1363_test.json');

for (const [name, crypto] of CRYPTOS) {
  describe(`${name}`, () => {
    it.skipIf(!existsSync(file))(
      'judges every Wycheproof vector right (set NITRO_VECTORS to a folder of them)',
      async () => {
        const { testGroups }: { testGroups: readonly Group[] } = JSON.parse(readFileSync(file, 'utf8'));
        const wrong: string[] = [];
        for (const { publicKey, tests } of testGroups) {
          for (const { tcId, comment, msg, sig, result } of tests) {
            const point = decodeHex(publicKey.uncompressed);
            const accepted = await isAccepted(crypto, { point, message: decodeHex(msg), signature: decodeHex(sig) });
            if (accepted !== (result === 'valid')) wrong.push(`${tcId}: ${comment}`);
          }
        }
        expect(wrong).toEqual([]);
      },
    );

    it('accepts what @noble/curves signs, with high and with low s', async () => {
      await fc.assert(
        fc.asyncProperty(secretKey, fc.uint8Array({ maxLength: 100 }), async (secret, message) => {
          const signed = sign(secret, message);
          expect(await isAccepted(crypto, signed)).toBe(true);
          expect(await isAccepted(crypto, { ...signed, signature: joined(signed.r, ORDER - signed.s) })).toBe(true);
        }),
        { numRuns: 20 },
      );
    });

    it('refuses every other form of a right signature', async () => {
      const { r, s, ...signed } = sign(integer(7n), Uint8Array.of(1));
      const forms = [
        joined(0n, s),
        joined(r, 0n),
        joined(0n, 0n),
        joined(ORDER, s),
        joined(r, ORDER),
        joined(ORDER - r, s),
        joined(s, r),
        joined(r, s).subarray(0, 95),
        concatBytes(joined(r, s), Uint8Array.of(0)),
        concatBytes(Uint8Array.of(0), joined(r, s)),
        new Uint8Array(0),
        p384.Signature.fromBytes(joined(r, s)).toBytes('der'),
      ];
      // r + n and s + n, where they still fit into 48 bytes: the same numbers modulo n.
      const same = [[r + ORDER, s] as const, [r, s + ORDER] as const];
      forms.push(
        ...same.filter((pair) => pair.every((half) => half < 2n ** 384n)).map(([left, right]) => joined(left, right)),
      );
      for (const signature of forms) expect(await isAccepted(crypto, { ...signed, signature })).toBe(false);
    });

    it('refuses another message, another key and every changed byte of the signature', async () => {
      const signed = sign(integer(11n), Uint8Array.of(1, 2, 3));
      expect(await isAccepted(crypto, { ...signed, message: Uint8Array.of(1, 2, 4) })).toBe(false);
      expect(await isAccepted(crypto, { ...signed, point: p384.getPublicKey(integer(12n), false) })).toBe(false);
      for (let at = 0; at < P384_SIGNATURE_BYTES; at += 1) {
        const signature = signed.signature.slice();
        signature[at] = (signature[at] ?? 0) ^ 1;
        expect(await isAccepted(crypto, { ...signed, signature })).toBe(false);
      }
    });
  });
}

describe.each(CRYPTOS)('a point, by %s,', (_, crypto) => {
  const good = p384.getPublicKey(integer(5n), false);
  const { x, y } = p384.Point.fromBytes(good).toAffine();
  const point = (left: bigint, right: bigint) => concatBytes(Uint8Array.of(4), integer(left), integer(right));
  const signature = joined(1n, 1n);
  const isGood = async (bytes: Uint8Array) =>
    isUncompressedPoint(bytes) && (await crypto.verify(bytes, Uint8Array.of(1), signature)) !== undefined;

  it('is what @noble/curves takes for one', async () => {
    const coordinate = fc.bigInt({ min: 0n, max: 2n ** 384n - 1n });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          secretKey.map((secret) => p384.getPublicKey(secret, false)),
          fc.tuple(coordinate, coordinate).map(([left, right]) => point(left, right)),
        ),
        async (bytes) => {
          let expected = true;
          try {
            p384.Point.fromBytes(bytes).assertValidity();
          } catch {
            expected = false;
          }
          expect(await isGood(bytes)).toBe(expected);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('is refused off the curve, beyond the field, compressed, hybrid, at infinity and in another length', async () => {
    expect(await isGood(good)).toBe(true);
    const wrong = [
      point(x, y + 1n),
      point(x + 1n, y),
      point(y, x),
      point(0n, 0n),
      point(FIELD, y),
      point(x, FIELD),
      p384.getPublicKey(integer(5n), true),
      concatBytes(Uint8Array.of(6), good.subarray(1)),
      concatBytes(Uint8Array.of(7), good.subarray(1)),
      Uint8Array.of(0),
      new Uint8Array(97),
      good.subarray(0, 96),
      concatBytes(good, Uint8Array.of(0)),
      new Uint8Array(0),
    ];
    for (const bytes of wrong) expect(await isGood(bytes)).toBe(false);
  });

  it('is no other point with the same coordinates plus the order of the field', async () => {
    for (const [left, right] of [
      [x + FIELD, y],
      [x, y + FIELD],
    ] as const) {
      if (left < 2n ** 384n && right < 2n ** 384n) expect(await isGood(point(left, right))).toBe(false);
    }
  });
});
