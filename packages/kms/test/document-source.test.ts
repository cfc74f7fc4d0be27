import { createNitroPki, issueAttestationDocument } from '@nitro-enclaves/emulator';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AttestedClock } from '../src/recipient/attested-clock.ts';
import type { Attest, DocumentSourceOptions } from '../src/recipient/document-source.ts';
import { DocumentSource } from '../src/recipient/document-source.ts';

const keyOf = (byte: number): Uint8Array => new Uint8Array(294).fill(byte);

/** A source whose documents are of no form that is known, numbered; and how often it asked for one. */
function source(options: Partial<DocumentSourceOptions> = {}) {
  let made = 0;
  const attest = vi.fn<Attest>(async () => {
    made += 1;
    return Uint8Array.of(made);
  });
  const warnings: string[] = [];
  const clock = new AttestedClock(undefined, (message) => warnings.push(message));
  return { attest, warnings, documents: new DocumentSource({ attest, ...options }, clock) };
}

describe('documents', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('are made anew for each call', async () => {
    const { attest, documents } = source();
    const key = keyOf(1);
    const taken = [await documents.take(key), await documents.take(key), ...(await Promise.all([documents.take(key)]))];
    expect(taken.map(([number]) => number)).toEqual([1, 2, 3]);
    expect(attest).toHaveBeenCalledTimes(3);
  });

  it('serve further calls, those that come together too, until their time is over', async () => {
    const { documents } = source({ reuseDocumentFor: 1000 });
    const key = keyOf(1);
    const together = await Promise.all([documents.take(key), documents.take(key), documents.take(key)]);
    expect(together.map(([number]) => number)).toEqual([1, 1, 1]);
    vi.advanceTimersByTime(999);
    expect(await documents.take(key)).toEqual(Uint8Array.of(1));
    vi.advanceTimersByTime(1);
    expect(await documents.take(key)).toEqual(Uint8Array.of(2));
  });

  it('never serve another key', async () => {
    const { attest, documents } = source({ reuseDocumentFor: 60_000 });
    const [first, second] = [keyOf(1), keyOf(1)];
    for (const key of [first, second, first]) await documents.take(key);
    expect(attest.mock.calls.map(([{ publicKey }]) => publicKey)).toEqual([first, second, first]);
  });

  it('that were not given are asked for again', async () => {
    const { attest, documents } = source({ reuseDocumentFor: 60_000 });
    attest.mockRejectedValueOnce(new Error('no NSM here'));
    const key = keyOf(1);
    await expect(documents.take(key)).rejects.toMatchObject({ code: 'ATTESTATION_FAILED' });
    expect(await documents.take(key)).toEqual(Uint8Array.of(1));
    expect(await documents.take(key)).toEqual(Uint8Array.of(1));
    expect(attest).toHaveBeenCalledTimes(2);
  });

  it('set the clock when they are made, not when they are used again', async () => {
    const pki = await createNitroPki({ seed: 'documents' });
    const attest: Attest = async ({ publicKey }) =>
      issueAttestationDocument(pki, { moduleId: 'i-0-enc0', pcrs: { 0: new Uint8Array(48) }, publicKey });
    const { warnings, documents } = source({ attest, reuseDocumentFor: 60_000 });
    const key = keyOf(1);
    const first = await documents.take(key);
    vi.advanceTimersByTime(59_000);
    expect(await documents.take(key)).toBe(first);
    expect(warnings).toEqual([]);
  });

  it('are read for the time once a second', async () => {
    const pki = await createNitroPki({ seed: 'documents' });
    const client = { config: { systemClockOffset: 0 } };
    let skew = 0;
    const attest: Attest = async ({ publicKey }) => {
      const pcrs = { 0: new Uint8Array(48) };
      return issueAttestationDocument(pki, { moduleId: 'i-0-enc0', pcrs, publicKey, timestamp: Date.now() + skew });
    };
    const documents = new DocumentSource({ attest }, new AttestedClock(client, () => undefined));
    const offsetAfter = async (ms: number): Promise<number> => {
      vi.advanceTimersByTime(ms);
      await documents.take(keyOf(1));
      return client.config.systemClockOffset;
    };
    expect(await offsetAfter(0)).toBe(0);
    skew = 10_000;
    expect(await offsetAfter(999)).toBe(0);
    expect(await offsetAfter(1)).toBe(10_000);
  });

  it.each([-1, 60_001, Number.NaN, Number.POSITIVE_INFINITY])('are not reused for %d ms', (reuseDocumentFor) => {
    expect(() => source({ reuseDocumentFor })).toThrow(RangeError);
  });
});
