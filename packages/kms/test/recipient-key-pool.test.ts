import { createHash, createPublicKey, webcrypto } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { RecipientKeyPool } from '../src/recipient/recipient-key-pool.ts';

describe('the pool of recipient keys', () => {
  it('gives RSA-2048 keys with their SubjectPublicKeyInfo of 294 bytes, named by its SHA-256', async () => {
    const { publicKey, subjectKeyIdentifier } = await new RecipientKeyPool().take();
    const { asymmetricKeyDetails } = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    expect(publicKey).toHaveLength(294);
    expect(asymmetricKeyDetails).toMatchObject({ modulusLength: 2048, publicExponent: 65_537n });
    expect(Buffer.from(subjectKeyIdentifier)).toEqual(createHash('sha256').update(publicKey).digest());
  });

  it('never lets a private key out', async () => {
    const { privateKey } = await new RecipientKeyPool().take();
    expect(privateKey.extractable).toBe(false);
    await expect(webcrypto.subtle.exportKey('pkcs8', privateKey)).rejects.toThrow();
  });

  it('serves many calls with one key, and the next key from the first call after maxUses', async () => {
    const pool = new RecipientKeyPool({ maxUses: 3 });
    const taken = [];
    for (let use = 0; use < 7; use += 1) taken.push(await pool.take());
    expect(new Set(taken.slice(0, 3)).size).toBe(1);
    expect(new Set(taken.slice(3, 6)).size).toBe(1);
    expect(new Set(taken).size).toBe(3);
  });

  it('gives a new key after maxAge', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    try {
      const pool = new RecipientKeyPool({ maxAge: 1000 });
      const first = await pool.take();
      vi.advanceTimersByTime(999);
      expect(await pool.take()).toBe(first);
      vi.advanceTimersByTime(1);
      expect(await pool.take()).not.toBe(first);
    } finally {
      vi.useRealTimers();
    }
  });

  it('has the next key ready when the age of the current one ends, however few its uses', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const generateKey = vi.spyOn(webcrypto.subtle, 'generateKey');
    try {
      const pool = new RecipientKeyPool({ maxAge: 1000 });
      const first = await pool.take();
      vi.advanceTimersByTime(500);
      expect(await pool.take()).toBe(first);
      expect(generateKey).toHaveBeenCalledTimes(2);
      vi.advanceTimersByTime(500);
      const second = await pool.take();
      expect(second).not.toBe(first);
      expect(generateKey).toHaveBeenCalledTimes(2);
      vi.advanceTimersByTime(999);
      expect(await pool.take()).toBe(second);
    } finally {
      generateKey.mockRestore();
      vi.useRealTimers();
    }
  });

  it('does not hand out a key that was ready for longer than a key may serve', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const generateKey = vi.spyOn(webcrypto.subtle, 'generateKey');
    try {
      const pool = new RecipientKeyPool({ maxUses: 2, maxAge: 1000 });
      for (let use = 0; use < 2; use += 1) await pool.take();
      expect(generateKey).toHaveBeenCalledTimes(2);
      vi.advanceTimersByTime(1000);
      await pool.take();
      expect(generateKey).toHaveBeenCalledTimes(3);
    } finally {
      generateKey.mockRestore();
      vi.useRealTimers();
    }
  });

  it('gives calls that come together one key', async () => {
    const pool = new RecipientKeyPool();
    const keys = await Promise.all(Array.from({ length: 16 }, () => pool.take()));
    expect(new Set(keys).size).toBe(1);
  });

  it('forgets its keys when told to', async () => {
    const pool = new RecipientKeyPool();
    const first = await pool.take();
    pool.clear();
    expect(await pool.take()).not.toBe(first);
  });

  it.each([0, -1, 1.5, Number.NaN])('refuses maxUses of %d', (maxUses) => {
    expect(() => new RecipientKeyPool({ maxUses })).toThrow(RangeError);
  });

  it.each([0, -1, Number.NaN])('refuses maxAge of %d', (maxAge) => {
    expect(() => new RecipientKeyPool({ maxAge })).toThrow(RangeError);
  });
});
