import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { EifWriter } from '@nitro-enclaves/eif';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eif-writer-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function writeImage(path: string, kernel: readonly Uint8Array[]): Promise<void> {
  await using writer = await EifWriter.create(path, { architecture: 'aarch64' });
  await writer.section('kernel', kernel);
  await writer.section('cmdline', new TextEncoder().encode('console=ttyS0'));
  await writer.section('metadata', new TextEncoder().encode('{}'));
  await writer.section('ramdisk', Uint8Array.of(1, 2, 3));
  await writer.finish();
}

describe('EifWriter', () => {
  it('writes a CRC over everything but itself, put together from the pieces', async () => {
    const path = join(folder, 'a.eif');
    await writeImage(path, [new Uint8Array(70_000).fill(7), Uint8Array.of(8)]);
    const bytes = await readFile(path);
    const expected = crc32(bytes.subarray(548), crc32(bytes.subarray(0, 0x220)));
    expect(bytes.readUInt32BE(0x220)).toBe(expected);
  });

  it('writes the same file however the data are cut into pieces', async () => {
    await writeImage(join(folder, 'a.eif'), [Uint8Array.of(1, 2, 3, 4)]);
    await writeImage(join(folder, 'b.eif'), [Uint8Array.of(1), Uint8Array.of(2, 3), Uint8Array.of(), Uint8Array.of(4)]);
    expect(await readFile(join(folder, 'a.eif'))).toEqual(await readFile(join(folder, 'b.eif')));
  });

  it('leaves nothing behind, and an existing image alone, when it is given up', async () => {
    const path = join(folder, 'a.eif');
    await writeFile(path, 'before');
    {
      await using writer = await EifWriter.create(path, { architecture: 'x86_64' });
      await writer.section('kernel', Uint8Array.of(1));
    }
    expect(await readdir(folder)).toEqual(['a.eif']);
    expect(await readFile(path, 'utf8')).toBe('before');
  });

  it('refuses a thirty-third section', async () => {
    await using writer = await EifWriter.create(join(folder, 'a.eif'), { architecture: 'x86_64' });
    for (let index = 0; index < 32; index += 1) await writer.section('ramdisk', Uint8Array.of(index));
    await expect(writer.section('ramdisk', Uint8Array.of(32))).rejects.toMatchObject({ code: 'EIF_SECTION_COUNT' });
  });

  it('takes nothing more once it has finished', async () => {
    await using writer = await EifWriter.create(join(folder, 'a.eif'), { architecture: 'x86_64' });
    await writer.finish();
    await expect(writer.section('kernel', Uint8Array.of(1))).rejects.toMatchObject({ code: 'EIF_WRITER_STATE' });
    await expect(writer.finish()).rejects.toMatchObject({ code: 'EIF_WRITER_STATE' });
  });

  it('stops when its signal is aborted', async () => {
    const stop = new AbortController();
    await using writer = await EifWriter.create(join(folder, 'a.eif'), { architecture: 'x86_64', signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(writer.section('kernel', Uint8Array.of(1))).rejects.toThrow('enough');
  });
});
