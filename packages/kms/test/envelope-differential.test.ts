import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecipientEnvelope } from '../src/envelope/decode.ts';
import { decodeEnvelope } from '../src/envelope/decode.ts';
import type { EnvelopeParts } from './support/envelope-writer.ts';
import { OID, sealParts, tlv, writeEnvelope } from './support/envelope-writer.ts';
import { decodeByPkijs } from './support/pkijs-envelope.ts';

const spki = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'der', type: 'spki' });
const parts = sealParts(spki, Buffer.from('a secret that both readers find the way to'));

/** The parts as hexadecimal text, or `refused`. */
function read(decode: (encoded: Uint8Array) => RecipientEnvelope, encoded: Uint8Array): string {
  try {
    const { subjectKeyIdentifier, encryptedKey, initializationVector, ciphertext } = decode(encoded);
    return [subjectKeyIdentifier, encryptedKey, initializationVector, ciphertext]
      .map((part) => Buffer.from(part).toString('hex'))
      .join();
  } catch {
    return 'refused';
  }
}

/** An element before it is encoded: its content, or the elements inside. */
type Element = readonly [tag: number, content: Uint8Array | readonly Element[]];

/** One of the encodings that BER allows for each element (X.690 §8.1.3), as `choose` says. */
function encode([tag, content]: Element, choose: () => number): Buffer {
  const choice = choose() % 6;
  const body = content instanceof Uint8Array ? content : Buffer.concat(content.map((one) => encode(one, choose)));
  if (choice === 0 && !(content instanceof Uint8Array))
    return Buffer.concat([Buffer.of(tag, 0x80), body, Buffer.of(0, 0)]);
  if (choice < 3) return tlv(tag, body);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const octets = Math.max(choice - 1, 2);
  return Buffer.concat([Buffer.of(tag, 0x80 + octets), length.subarray(4 - octets), body]);
}

const content = (element: Buffer): Buffer => element.subarray(2);
const two: Element = [2, Buffer.of(2)];
const sha256: Element = [
  0x30,
  [
    [6, content(OID.sha256)],
    [5, Buffer.alloc(0)],
  ],
];

/** The envelope of `parts` as a tree; the ciphertext is cut at `cuts`, or whole and primitive without. */
function envelopeTree(cuts: readonly number[]): Element {
  const ends = [...cuts.map((cut) => cut % parts.ciphertext.length).sort((a, b) => a - b), parts.ciphertext.length];
  const chunks = ends.map((end, index): Element => [4, parts.ciphertext.subarray(ends[index - 1] ?? 0, end)]);
  const oaep: Element = [
    0x30,
    [
      [0xa0, [sha256]],
      [0xa1, [[0x30, [[6, content(OID.mgf1)], sha256]]]],
    ],
  ];
  const recipient: Element = [
    0x30,
    [two, [0x80, parts.subjectKeyIdentifier], [0x30, [[6, content(OID.oaep)], oaep]], [4, parts.encryptedKey]],
  ];
  const algorithm: Element = [
    0x30,
    [
      [6, content(OID.aes256Cbc)],
      [4, parts.contentEncryption.subarray(-16)],
    ],
  ];
  const sealed: Element = cuts.length === 0 ? [0x80, parts.ciphertext] : [0xa0, chunks];
  const info: Element = [0x30, [[6, content(OID.data)], algorithm, sealed]];
  return [
    0x30,
    [
      [6, content(OID.envelopedData)],
      [0xa0, [[0x30, [two, [0x31, [recipient]], info]]]],
    ],
  ];
}

const sealedWith = (replaced: Partial<EnvelopeParts>): Buffer => writeEnvelope({ ...parts, ...replaced });
const genuine = [
  sealedWith({ shape: 'primitive' }),
  sealedWith({ shape: { chunks: [] } }),
  sealedWith({ shape: { chunks: [5, 0, 16] } }),
  encode(envelopeTree([9, 20]), () => 1),
];

/** What pkijs does not take, we do not take; what we take, pkijs reads alike. */
function expectAgreement(encoded: Uint8Array): string {
  const ours = read(decodeEnvelope, encoded);
  if (ours !== 'refused') expect(ours).toBe(read(decodeByPkijs, encoded));
  return ours;
}

describe('our reader and pkijs', () => {
  it('read an envelope alike, in whatever encoding of BER', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(5), { minLength: 48, maxLength: 48 }),
        fc.array(fc.nat(255), { maxLength: 5 }),
        (choices, cuts) => {
          let next = 0;
          const encoded = encode(envelopeTree(cuts), () => choices[next++ % choices.length] ?? 0);
          const ours = read(decodeEnvelope, encoded);
          expect(ours).not.toBe('refused');
          expect(ours).toBe(read(decodeByPkijs, encoded));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('agree on an envelope of which bits were changed', () => {
    const verdicts = new Set<boolean>();
    const change = fc.tuple(fc.nat(10_000), fc.nat(7));
    fc.assert(
      fc.property(
        fc.constantFrom(...genuine),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        (envelope, changes) => {
          const changed = Buffer.from(envelope);
          for (const [at, bit] of changes) {
            const index = at % changed.length;
            changed[index] = (changed[index] ?? 0) ^ (1 << bit);
          }
          verdicts.add(expectAgreement(changed) === 'refused');
        },
      ),
      { numRuns: 400 },
    );
    // Changes of keys and ciphertext go through, changes of the form do not.
    expect(verdicts.size).toBe(2);
  });

  it('agree on an envelope of which a piece was taken out, doubled or put elsewhere', () => {
    const piece = fc.record({ from: fc.nat(10_000), length: fc.integer({ min: 1, max: 40 }), to: fc.nat(10_000) });
    const edit = fc.constantFrom('remove', 'double', 'move');
    fc.assert(
      fc.property(fc.constantFrom(...genuine), piece, edit, (envelope, { from, length, to }, how) => {
        const start = from % envelope.length;
        const taken = envelope.subarray(start, start + length);
        const rest = Buffer.concat([envelope.subarray(0, start), envelope.subarray(start + length)]);
        const target = how === 'double' ? envelope : rest;
        const at = to % (target.length + 1);
        const moved = Buffer.concat([target.subarray(0, at), taken, target.subarray(at)]);
        expectAgreement(how === 'remove' ? rest : moved);
      }),
      { numRuns: 400 },
    );
  });

  it('refuse every envelope whose header octets are others, one at a time', () => {
    const envelope = genuine[1] ?? Buffer.alloc(0);
    // The outermost elements, up to the set of recipients.
    for (let at = 0; at < 22; at += 1) {
      const changed = Buffer.from(envelope);
      changed[at] = (changed[at] ?? 0) ^ 0x15;
      expect(expectAgreement(changed), `octet ${at}`).toBe('refused');
    }
  });
});

describe('our reader refuses what pkijs lets pass', () => {
  const whole = sealedWith({ shape: { chunks: [] } });
  const at = (bytes: Uint8Array): number => whole.indexOf(bytes);
  const replaced = (offset: number, byte: number): Buffer => {
    const changed = Buffer.from(whole);
    changed[offset] = byte;
    return changed;
  };

  const lax: [string, () => Buffer][] = [
    ['a set of recipients that says it is longer than it is', () => replaced(at(Buffer.of(0x31, 0x82)) + 3, 0x6c)],
    [
      'a set of recipients that says it is shorter than what is in it',
      () => replaced(at(Buffer.of(0x31, 0x82)) + 3, 0x60),
    ],
    ['a recipient that ends before its key does', () => replaced(at(Buffer.of(0x30, 0x82)) + 3, 0x60)],
    ['an algorithm that ends before its parameters do', () => replaced(at(OID.aes256Cbc) - 1, 0x0d)],
    ['end-of-contents octets with a length', () => replaced(whole.length - 1, 1)],
    ['end-of-contents octets that are constructed', () => replaced(whole.length - 2, 0x20)],
  ];
  it.each(lax)('%s', (_, make) => {
    expect(read(decodeEnvelope, make())).toBe('refused');
  });

  it('a length of more than four octets, and the reserved one', () => {
    const [before, after] = [whole.subarray(0, 1), whole.subarray(2, -2)];
    for (const length of [Buffer.of(0x85, 0, 0, 0, after.length >> 8, after.length & 0xff), Buffer.of(0xff)])
      expect(read(decodeEnvelope, Buffer.concat([before, length, after]))).toBe('refused');
  });
});
