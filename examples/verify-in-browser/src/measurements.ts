import { readFile } from 'node:fs/promises';
import type { PageTrust } from './page/trust.ts';

/**
 * Reads what `nitro-enclaves eif build`, `nitro-cli build-enclave` or `describe-eif` printed of an image.
 * @throws {TypeError} when it has no PCR0, PCR1 and PCR2.
 */
export async function readImage(file: string, name: string): Promise<PageTrust['images'][number]> {
  const { Measurements = {} }: { Measurements?: Record<string, unknown> } = JSON.parse(await readFile(file, 'utf8'));
  const pcr = (register: string) => {
    const value = Measurements[register];
    if (typeof value === 'string' && /^[0-9a-f]{96}$/.test(value)) return value;
    throw new TypeError(`expected Measurements.${register} of 96 hexadecimal digits in ${file}`);
  };
  return { name, pcrs: { 0: pcr('PCR0'), 1: pcr('PCR1'), 2: pcr('PCR2') } };
}
