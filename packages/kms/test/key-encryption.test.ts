import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { expectOaepSha256 } from '../src/envelope/key-encryption.ts';
import { indefinite, OID, oaep, tlv } from './support/envelope-writer.ts';

const bare = tlv(0x30, OID.sha256);
const withNull = tlv(0x30, OID.sha256, Buffer.of(5, 0));

const both = [tlv(0xa0, withNull), tlv(0xa1, tlv(0x30, OID.mgf1, withNull))];

const unknownSource = tlv(0xa2, tlv(0x30, OID.data, tlv(4)));

/** RSAES-OAEP with SHA-256 twice, each hash in one of its two forms, the parameters of a definite length or not. */
function encodings(): Buffer[] {
  const hashes = [bare, withNull];
  return hashes.flatMap((hash) =>
    hashes.flatMap((mgfHash) =>
      [tlv, indefinite].map((wrap) =>
        tlv(0x30, OID.oaep, wrap(0x30, tlv(0xa0, hash), tlv(0xa1, tlv(0x30, OID.mgf1, mgfHash)))),
      ),
    ),
  );
}

describe('the algorithm that the content key is encrypted by', () => {
  it('is taken in every encoding, the first time and each time after, however many there were', () => {
    const all = [...encodings(), oaep(), oaep({ label: Buffer.alloc(0) })];
    expect(new Set(all.map((encoded) => encoded.toString('hex'))).size).toBeGreaterThan(8);
    for (let round = 0; round < 3; round += 1)
      for (const encoded of all) expect(() => expectOaepSha256(encoded)).not.toThrow();
  });

  it('is not remembered by bytes that change later', () => {
    const encoded = oaep();
    expectOaepSha256(encoded);
    encoded.fill(0);
    expect(() => expectOaepSha256(encoded)).toThrow();
    expect(() => expectOaepSha256(oaep())).not.toThrow();
  });

  const others: [string, Buffer][] = [
    ['SHA-1', oaep({ hash: OID.sha1 })],
    ['SHA-1 for MGF1', oaep({ mgfHash: OID.sha1 })],
    ['a label', oaep({ label: Buffer.from('label') })],
    ["SHA-1's value of nothing for a label", oaep({ label: createHash('sha1').digest() })],
    ['a label from an unknown source', tlv(0x30, OID.oaep, tlv(0x30, ...both, unknownSource))],
    ['no parameters', tlv(0x30, OID.oaep)],
    ['PKCS #1 v1.5', tlv(0x30, OID.rsaEncryption, Buffer.of(5, 0))],
    ['octets behind it', Buffer.concat([oaep(), Buffer.of(0)])],
    ['a third part', tlv(0x30, oaep().subarray(2), Buffer.of(5, 0))],
    ['a third part of the hash', oaep({ hash: Buffer.concat([OID.sha256, Buffer.of(5, 0)]) })],
    ['a parameter that there is none of', tlv(0x30, OID.oaep, tlv(0x30, ...both, tlv(0xa3, withNull)))],
    ['the parameters in another order', tlv(0x30, OID.oaep, tlv(0x30, ...both.toReversed()))],
    ['a parameter twice', tlv(0x30, OID.oaep, tlv(0x30, ...both.flatMap((one) => [one, one])))],
    ['nothing', Buffer.alloc(0)],
  ];
  it.each(others)(
    'is refused with %s, however often it comes, before and after the one that is taken',
    (_, encoded) => {
      for (let round = 0; round < 3; round += 1) {
        expect(() => expectOaepSha256(encoded)).toThrow();
        expectOaepSha256(oaep());
      }
    },
  );
});
