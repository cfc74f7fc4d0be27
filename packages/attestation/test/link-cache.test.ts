import { describe, expect, it } from 'vitest';
import { readPathCertificate } from '../src/certificate-path.ts';
import { LinkCache } from '../src/link-cache.ts';
import { MODULE_ID, pki } from './synthetic-documents.ts';

const { caBundle, certificate } = await pki.chain(MODULE_ID);
const [root, regional, zonal, instance] = caBundle.map((encoded) => readPathCertificate(encoded, '$'));
if (!root || !regional || !zonal || !instance) throw new Error('the bundle has four certificates');

describe('a link cache', () => {
  it('gives a link back for the same bytes below the same link', () => {
    const cache = new LinkCache(8);
    const link = cache.add(root, 0);
    expect(cache.get(root.certificate.encoded, 0)).toBe(link);
    expect(cache.get(root.certificate.encoded.slice(), 0)).toBe(link);
  });

  it('knows no certificate below another link', () => {
    const cache = new LinkCache(8);
    const above = cache.add(root, 0);
    cache.add(regional, above.id);
    expect(cache.get(regional.certificate.encoded, 0)).toBeUndefined();
    expect(cache.get(regional.certificate.encoded, above.id + 1)).toBeUndefined();
  });

  it('knows no certificate that differs in a byte, wherever', () => {
    const cache = new LinkCache(8);
    cache.add(root, 0);
    const { encoded } = root.certificate;
    for (let index = 0; index < encoded.length; index += 1) {
      const changed = encoded.slice();
      changed[index] = (changed[index] ?? 0) ^ 0x20;
      expect(cache.get(changed, 0)).toBeUndefined();
    }
  });

  it('keeps the link that is there when the same one is added again, so that nothing below it is orphaned', () => {
    const cache = new LinkCache(8);
    const first = cache.add(root, 0);
    const below = cache.add(regional, first.id);
    expect(cache.add(root, 0)).toBe(first);
    expect(cache.get(regional.certificate.encoded, first.id)).toBe(below);
  });

  it('never holds more than its capacity, and lets the least recently used go first', () => {
    const cache = new LinkCache(2);
    cache.add(root, 0);
    cache.add(regional, 1);
    cache.get(root.certificate.encoded, 0);
    cache.add(zonal, 2);
    expect(cache.get(root.certificate.encoded, 0)).toBeDefined();
    expect(cache.get(zonal.certificate.encoded, 2)).toBeDefined();
    expect(cache.get(regional.certificate.encoded, 1)).toBeUndefined();
  });

  it('of no capacity holds nothing', () => {
    const cache = new LinkCache(0);
    cache.add(instance, 0);
    expect(cache.get(instance.certificate.encoded, 0)).toBeUndefined();
  });

  it('of a capacity that is no number holds nothing', () => {
    const cache = new LinkCache(Number.NaN);
    cache.add(instance, 0);
    expect(cache.get(instance.certificate.encoded, 0)).toBeUndefined();
  });

  it('gives a link that comes again after it was forgotten another name, so that old ones below it stay forgotten', () => {
    const cache = new LinkCache(1);
    const first = cache.add(root, 0);
    cache.add(readPathCertificate(certificate, '$'), 7);
    expect(cache.add(root, 0).id).not.toBe(first.id);
  });
});
