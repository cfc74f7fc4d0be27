import { randomBytes } from 'node:crypto';
import { createVerifier } from '@nitro-enclaves/attestation';
import { describe, expect, it } from 'vitest';
import { imageOf, issue, NOW, TRUST } from './synthetic-documents.ts';

const nonce = randomBytes(16);
const publicKey = randomBytes(64);
const userData = randomBytes(32);

describe('a policy made of Buffers', () => {
  it('is copied: what its caller writes into them later changes nothing', async () => {
    const given = { nonce: Buffer.from(nonce), publicKey: Buffer.from(publicKey), userData: Buffer.from(userData) };
    const { verify } = createVerifier({
      policy: {
        ...TRUST,
        images: [imageOf('1.0')],
        freshness: { nonce: given.nonce },
        publicKey: given.publicKey,
        userData: given.userData,
      },
    });
    for (const buffer of Object.values(given)) buffer.fill(0);

    const right = await issue({ nonce, publicKey, userData });
    expect((await verify(right, { now: NOW })).nonce).toEqual(new Uint8Array(nonce));
    const asOverwritten = await issue({ nonce: new Uint8Array(16), publicKey, userData });
    await expect(verify(asOverwritten, { now: NOW })).rejects.toMatchObject({ code: 'NONCE_MISMATCH' });
  });
});
