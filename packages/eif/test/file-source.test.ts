import { execFile } from 'node:child_process';
import { sign } from 'node:crypto';
import { appendFileSync, truncateSync, utimesSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { measureEif, readEif, signEif } from '@nitro-enclaves/eif';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSigner } from './openssl.ts';
import { cmdline, kernel, metadata, ramdisk, SECTIONS, syntheticImage } from './synthetic-image.ts';

const MIB = 1024 * 1024;
let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eif-source-'));
  path = join(folder, 'image.eif');
});
afterEach(() => rm(folder, { recursive: true }));

const LARGE = syntheticImage([
  kernel(),
  cmdline(),
  metadata(),
  ramdisk('boot'),
  ramdisk(Buffer.alloc(20 * MIB, 'app')),
]);

/** Reads the image; `change` happens to its file as soon as the first piece has been read. */
async function readDuring(change: () => void): Promise<unknown> {
  await writeFile(path, LARGE);
  let changed = false;
  const reading = readEif(path, {
    onProgress: () => {
      if (!changed) change();
      changed = true;
    },
  });
  return reading.then(
    () => 'accepted',
    (error: { code?: unknown }) => error.code,
  );
}

describe('an image in a file', () => {
  it('has the same PCRs from a path, a URL and memory', async () => {
    await writeFile(path, LARGE);
    const pcrs = await measureEif(LARGE);
    expect(await measureEif(path)).toEqual(pcrs);
    expect(await measureEif(pathToFileURL(path))).toEqual(pcrs);
  });

  it('is refused when it becomes shorter or longer, or is written to, while it is read', async () => {
    expect(await readDuring(() => truncateSync(path, 3 * MIB))).toMatch(/^EIF_(SOURCE_CHANGED|SECTION_TRUNCATED)$/);
    expect(await readDuring(() => appendFileSync(path, 'x'))).toMatch(/^EIF_(SOURCE_CHANGED|TRAILING_BYTES)$/);
    expect(await readDuring(() => utimesSync(path, 1, 1))).toBe('EIF_SOURCE_CHANGED');
  });

  it('is not signed when another one takes its place meanwhile', async () => {
    await writeFile(path, syntheticImage());
    const { key, certificate } = await createSigner(folder, 'secp384r1', 1);
    const signing = signEif(path, {
      certificate,
      key: async ({ message }) => {
        await writeFile(path, syntheticImage([kernel('another'), ...SECTIONS.slice(1)]));
        return sign('sha384', message, key);
      },
    });
    await expect(signing).rejects.toMatchObject({ code: 'EIF_SOURCE_CHANGED' });
    expect((await readEif(path)).signature).toBeUndefined();
  });

  it('is not waited for in a pipe that nobody writes to', async () => {
    await promisify(execFile)('mkfifo', [path]);
    await expect(readEif(path)).rejects.toMatchObject({ code: 'EIF_SOURCE' });
  });

  it('that is not there, or may not be opened, is the system’s own error', async () => {
    await expect(readEif(path)).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open' });
  });
});
