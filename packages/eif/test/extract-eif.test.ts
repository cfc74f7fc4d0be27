import { lstat, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { extractEif, lsEif } from '@nitro-enclaves/eif';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SyntheticFile } from './synthetic-image.ts';
import { cmdline, cpioArchive, kernel, metadata, ramdisk, syntheticImage } from './synthetic-image.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eif-extract-'));
});
afterEach(() => rm(folder, { recursive: true }));

const imageOf = (...archives: Uint8Array[]): Uint8Array =>
  syntheticImage([kernel(), cmdline(), metadata(), ...archives.map((archive) => ramdisk(archive))]);

const extract = (...archives: (readonly SyntheticFile[])[]): ReturnType<typeof extractEif> =>
  extractEif(imageOf(...archives.map(cpioArchive)), join(folder, 'out'));

const BOOT: readonly SyntheticFile[] = [
  { name: 'dev', mode: 0o040755 },
  { name: 'init', mode: 0o100755, content: '#!/bin/true' },
];

describe('extractEif', () => {
  it('writes kernel, cmdline, metadata and the files of all ramdisks with their modes and times', async () => {
    const app: readonly SyntheticFile[] = [
      { name: 'rootfs', mode: 0o040755 },
      { name: 'rootfs/app', mode: 0o100555, content: 'hello', mtime: 1_600_000_000 },
      { name: 'rootfs/link', mode: 0o120777, content: '/app' },
    ];
    const { skipped } = await extract(BOOT, app);
    const out = join(folder, 'out');
    expect((await readdir(out)).sort()).toEqual(['cmdline', 'initramfs', 'kernel', 'metadata.json']);
    expect(await readFile(join(out, 'kernel'), 'utf8')).toBe('kernel');
    expect(await readFile(join(out, 'initramfs/rootfs/app'), 'utf8')).toBe('hello');
    const stats = await stat(join(out, 'initramfs/rootfs/app'));
    expect(stats.mode & 0o7777).toBe(0o555);
    expect(stats.mtimeMs).toBe(1_600_000_000_000);
    expect(await readlink(join(out, 'initramfs/rootfs/link'))).toBe('/app');
    expect(skipped).toEqual([]);
    expect(await readdir(folder)).toEqual(['out']);
  });

  it('writes the ramdisks as they are when asked not to unpack', async () => {
    const archive = cpioArchive(BOOT);
    await extractEif(imageOf(archive, Buffer.from('not an archive')), join(folder, 'out'), { unpack: false });
    expect(await readFile(join(folder, 'out/ramdisk-0.cpio'))).toEqual(archive);
    expect(await readFile(join(folder, 'out/ramdisk-1.cpio'), 'utf8')).toBe('not an archive');
  });

  it('writes a ramdisk as it is that is no archive, and unpacks the others', async () => {
    const { notUnpacked } = await extractEif(imageOf(cpioArchive(BOOT), Buffer.from('?')), join(folder, 'out'));
    expect(notUnpacked).toEqual([1]);
    expect(await readFile(join(folder, 'out/initramfs/init'), 'utf8')).toBe('#!/bin/true');
    expect(await readFile(join(folder, 'out/ramdisk-1.cpio'), 'utf8')).toBe('?');
  });

  it('unpacks gzip, and several archives in one ramdisk', async () => {
    const first = cpioArchive([{ name: 'a', content: '1' }]);
    const second = gzipSync(cpioArchive([{ name: 'b', content: '2' }]));
    await extractEif(imageOf(Buffer.concat([first, second])), join(folder, 'out'));
    expect(await readFile(join(folder, 'out/initramfs/a'), 'utf8')).toBe('1');
    expect(await readFile(join(folder, 'out/initramfs/b'), 'utf8')).toBe('2');
  });

  it('lets a later ramdisk replace a file of an earlier one', async () => {
    await extract([{ name: 'a', content: 'old' }], [{ name: 'a', mode: 0o120777, content: 'b' }], [{ name: 'b' }]);
    expect(await readlink(join(folder, 'out/initramfs/a'))).toBe('b');
  });

  it('makes hard links one file, whichever of them carries the content', async () => {
    const twice = { inode: 9, links: 2 };
    await extract([
      { name: 'a', ...twice },
      { name: 'b', content: 'shared', ...twice },
    ]);
    expect(await readFile(join(folder, 'out/initramfs/a'), 'utf8')).toBe('shared');
    const [a, b] = await Promise.all([stat(join(folder, 'out/initramfs/a')), stat(join(folder, 'out/initramfs/b'))]);
    expect(a.ino).toBe(b.ino);
  });

  it('leaves out setuid, setgid and special files, and names the latter', async () => {
    const { skipped } = await extract([
      { name: 'su', mode: 0o106755 },
      { name: 'null', mode: 0o020666, device: [1, 3] },
    ]);
    expect((await stat(join(folder, 'out/initramfs/su'))).mode & 0o7777).toBe(0o755);
    expect(skipped).toEqual([{ path: 'null', reason: 'special-file' }]);
  });

  it.each([
    ['an absolute link', '/etc'],
    ['a relative link', '../../../../../../etc'],
  ])('follows %s inside the tree only', async (_, target) => {
    await extract([
      { name: 'link', mode: 0o120777, content: target },
      { name: 'link/passwd', content: 'mine' },
    ]);
    expect(await readFile(join(folder, 'out/initramfs/etc/passwd'), 'utf8')).toBe('mine');
    expect((await lstat(join(folder, 'out/initramfs/link'))).isSymbolicLink()).toBe(true);
  });

  it.each([
    ['a name with ".."', [{ name: '../outside' }], 'CPIO_NAME'],
    ['a file below a file', [{ name: 'a' }, { name: 'a/b' }], 'EIF_EXTRACT_PATH'],
    [
      'links in circles',
      [{ name: 'a', mode: 0o120777, content: 'b' }, { name: 'b', mode: 0o120777, content: 'a' }, { name: 'a/x' }],
      'EIF_EXTRACT_PATH',
    ],
    ['a file in the place of a full folder', [{ name: 'a/b' }, { name: 'a' }], 'EIF_EXTRACT_PATH'],
    ['the root as a file', [{ name: '.', content: 'x' }], 'EIF_EXTRACT_PATH'],
  ])('refuses %s and leaves nothing behind', async (_, files, code) => {
    await expect(extract(files)).rejects.toMatchObject({ code });
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses a folder that is there, and leaves nothing of a damaged image', async () => {
    await writeFile(join(folder, 'out'), '');
    await expect(extract(BOOT)).rejects.toMatchObject({ code: 'EIF_TARGET_EXISTS' });
    await rm(join(folder, 'out'));
    const damaged = imageOf(cpioArchive(BOOT));
    damaged[560] = 0;
    await expect(extractEif(damaged, join(folder, 'out'))).rejects.toMatchObject({ code: 'EIF_CRC' });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('lsEif', () => {
  it('lists every entry with its ramdisk, and the digest of each file', async () => {
    const { entries } = await lsEif(imageOf(cpioArchive(BOOT), cpioArchive([{ name: './x', content: '' }])));
    expect(entries.map(({ ramdisk: number, path, type }) => [number, path, type])).toEqual([
      [0, 'dev', 'directory'],
      [0, 'init', 'file'],
      [1, 'x', 'file'],
    ]);
    // SHA-384 of nothing, FIPS 180-4.
    expect(entries[2]?.sha384).toBe(
      '38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b',
    );
  });

  it('tells which ramdisks it cannot list, and lists the others', async () => {
    const { entries, unreadable } = await lsEif(
      imageOf(cpioArchive(BOOT), Buffer.from('?'), cpioArchive(BOOT).subarray(0, 300)),
    );
    expect(entries.map(({ ramdisk: number }) => number)).toEqual([0, 0]);
    expect(unreadable).toMatchObject([
      { ramdisk: 1, size: 1, code: 'CPIO_MAGIC' },
      { ramdisk: 2, size: 300, code: 'CPIO_TRUNCATED' },
    ]);
  });
});
