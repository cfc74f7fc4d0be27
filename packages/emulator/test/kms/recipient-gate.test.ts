import type { NitroPki } from '@nitro-enclaves/emulator';
import { createNitroPki, unsignedDocumentsAllowed } from '@nitro-enclaves/emulator';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AttestationRule, RecipientGate } from '../../src/kms/recipient/document.ts';
import { createRecipientGate } from '../../src/kms/recipient/document.ts';
import { digestOf, RecentlyUsed } from '../../src/kms/recipient/recently-used.ts';
import { documentOf } from './enclave.ts';

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 4, 17, 9, 30);
/** Of a leaf certificate, as the hypervisor issues them. */
const LIFETIME = 180 * MINUTE;

let pki: NitroPki;
let document: Uint8Array;
beforeAll(async () => {
  pki = await createNitroPki({ seed: 'recipient gate' });
  document = await documentOf(pki, { timestamp: NOW });
});

/** A gate, and the clock that it goes by. */
function gateOf(rule: Partial<AttestationRule> = {}): { gate: RecipientGate; clock: { now: number } } {
  const clock = { now: NOW };
  return { clock, gate: createRecipientGate({ roots: [pki.rootCertificate], ...rule }, () => clock.now) };
}

async function refusalOf(judgement: Promise<unknown>): Promise<string> {
  return judgement.then(
    () => 'not refused',
    (error: Error) => error.message,
  );
}

describe('a document that was accepted before', () => {
  it('is accepted again, and not verified again', async () => {
    const { gate } = gateOf();
    const [first, second] = [await gate(document), await gate(Uint8Array.from(document))];
    expect(second.document).toBe(first.document);
    expect(second.publicKey).toBe(first.publicKey);
  });

  it('is refused when it has grown too old, and accepted again by a clock that is set back', async () => {
    const { gate, clock } = gateOf();
    await gate(document);
    clock.now = NOW + 5 * MINUTE;
    await gate(document);
    clock.now += 1;
    expect(await refusalOf(gate(document))).toContain('TOO_OLD');
    clock.now = NOW;
    await gate(document);
  });

  it('is refused when it is of the future by a clock that was set back', async () => {
    const { gate, clock } = gateOf();
    await gate(document);
    clock.now = NOW - 2 * MINUTE;
    expect(await refusalOf(gate(document))).toMatch(/PATH_NOT_YET_VALID|FROM_THE_FUTURE/);
  });

  it('is refused when its leaf certificate has expired, however old it may be', async () => {
    const { gate, clock } = gateOf({ maxAge: 100 * LIFETIME });
    await gate(document);
    clock.now = NOW + LIFETIME - MINUTE;
    await gate(document);
    clock.now = NOW + LIFETIME + MINUTE;
    expect(await refusalOf(gate(document))).toContain('PATH_EXPIRED');
    expect(await refusalOf(gate(document))).toContain('PATH_EXPIRED');
  });

  it('is refused with a bit changed, in the same memory too', async () => {
    const { gate } = gateOf();
    const changed = Uint8Array.from(document);
    await gate(changed);
    changed[changed.length - 1] = (changed[changed.length - 1] ?? 0) ^ 1;
    expect(await refusalOf(gate(changed))).toContain('SIGNATURE');
  });

  it('is refused by a KMS with another root', async () => {
    await gateOf().gate(document);
    const { rootCertificate } = await createNitroPki({ seed: 'another' });
    expect(await refusalOf(gateOf({ roots: [rootCertificate] }).gate(document))).toContain('TRUST_ANCHOR');
  });

  it('without a signature, by a KMS that takes such, is refused by one that does not', async () => {
    const unsigned = Uint8Array.from(document).fill(0, document.length - 96);
    await createRecipientGate({ [unsignedDocumentsAllowed]: true }, () => NOW)(unsigned);
    expect(await refusalOf(gateOf().gate(unsigned))).toContain('SIGNATURE');
  });

  it('without a key is refused each time', async () => {
    const { gate } = gateOf();
    const keyless = await documentOf(pki, { timestamp: NOW, publicKey: null });
    for (let round = 0; round < 2; round += 1) expect(await refusalOf(gate(keyless))).toContain('public_key');
  });
});

describe('a document that was refused', () => {
  it('is judged anew: early now, accepted when its time has come', async () => {
    const { gate, clock } = gateOf();
    clock.now = NOW - 10 * MINUTE;
    expect(await refusalOf(gate(document))).toMatch(/PATH_NOT_YET_VALID|FROM_THE_FUTURE/);
    clock.now = NOW;
    await gate(document);
  });

  it('stays refused beside one that is accepted, with the same key', async () => {
    const { gate } = gateOf();
    const tampered = Uint8Array.from(document);
    tampered[200] = (tampered[200] ?? 0) ^ 1;
    for (let round = 0; round < 2; round += 1) {
      expect(await refusalOf(gate(tampered))).not.toBe('not refused');
      await gate(document);
    }
  });
});

describe('what is remembered', () => {
  it('is what was used last, up to a number', () => {
    const kept = new RecentlyUsed<number>(2);
    kept.set('one', 1);
    kept.set('two', 2);
    expect(kept.get('one')).toBe(1);
    kept.set('three', 3);
    expect(['one', 'two', 'three'].map((name) => kept.get(name))).toEqual([1, undefined, 3]);
    kept.set('one', 11);
    kept.set('four', 4);
    expect(['one', 'three', 'four'].map((name) => kept.get(name))).toEqual([11, undefined, 4]);
  });

  it('goes by all bytes', () => {
    expect(digestOf(Buffer.alloc(5000))).not.toBe(digestOf(Buffer.alloc(5001)));
    expect(digestOf(Uint8Array.of(1, 2))).toBe(digestOf(Buffer.of(1, 2)));
  });
});
