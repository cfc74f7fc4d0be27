import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { EifChange } from '@nitro-enclaves/eif';
import { diffEif, signEif } from '@nitro-enclaves/eif';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { diffEif as diffInBrowser } from '../src/index.ts';
import { createSigner } from './openssl.ts';
import type { SyntheticFile, SyntheticHeader, SyntheticSection } from './synthetic-image.ts';
import { cmdline, cpioArchive, kernel, METADATA, metadata, ramdisk, syntheticImage } from './synthetic-image.ts';

const BOOT: readonly SyntheticFile[] = [{ name: 'init', mode: 0o100755, content: 'init' }];
const APP: readonly SyntheticFile[] = [
  { name: 'rootfs', mode: 0o040755 },
  { name: 'rootfs/app', mode: 0o100755, content: 'one' },
  { name: 'rootfs/link', mode: 0o120777, content: 'app' },
  { name: 'rootfs/null', mode: 0o020666, device: [1, 3] },
];

interface Parts {
  readonly kernel?: string;
  readonly cmdline?: string;
  readonly boot?: readonly SyntheticFile[];
  readonly app?: readonly SyntheticFile[] | Uint8Array;
  readonly metadata?: unknown;
  readonly more?: readonly SyntheticSection[];
  readonly header?: SyntheticHeader;
}

function image(parts: Parts = {}): Uint8Array<ArrayBuffer> {
  const app = parts.app ?? APP;
  return syntheticImage(
    [
      kernel(parts.kernel),
      cmdline(parts.cmdline),
      metadata(parts.metadata),
      ramdisk(cpioArchive(parts.boot ?? BOOT)),
      ramdisk(app instanceof Uint8Array ? app : cpioArchive(app)),
      ...(parts.more ?? []),
    ],
    parts.header,
  );
}

/** What a change is, in one line. */
function told(change: EifChange): string {
  const aspects = change.kind === 'file-changed' ? ` ${change.aspects.join('+')}` : '';
  const where = 'path' in change ? ` ${change.path}` : 'field' in change ? ` ${change.field}` : '';
  return `${change.kind}${where}${aspects} -> ${change.pcrs.join(' ') || 'nothing'}`;
}

const changed = (index: number, change: Partial<SyntheticFile>): SyntheticFile[] =>
  APP.map((file, at) => (at === index ? { ...file, ...change } : file));

describe('diffEif', () => {
  it.each<readonly [string, Parts, readonly string[]]>([
    ['nothing', {}, []],
    ['the kernel', { kernel: 'newer' }, ['kernel -> PCR0 PCR1']],
    ['the command line', { cmdline: 'quiet' }, ['cmdline -> PCR0 PCR1']],
    [
      'a file of the first ramdisk',
      { boot: [{ ...BOOT[0], name: 'init', content: 'x' }] },
      ['file-changed init content -> PCR0 PCR1'],
    ],
    ['a file’s content', { app: changed(1, { content: 'two' }) }, ['file-changed rootfs/app content -> PCR0 PCR2']],
    ['a file’s mode', { app: changed(1, { mode: 0o100700 }) }, ['file-changed rootfs/app mode -> PCR0 PCR2']],
    ['setuid', { app: changed(1, { mode: 0o104755 }) }, ['file-changed rootfs/app mode -> PCR0 PCR2']],
    ['a file’s owner', { app: changed(1, { uid: 5 }) }, ['file-changed rootfs/app owner -> PCR0 PCR2']],
    ['a file’s group', { app: changed(1, { gid: 5 }) }, ['file-changed rootfs/app owner -> PCR0 PCR2']],
    ['a file’s time', { app: changed(1, { mtime: 1 }) }, ['file-changed rootfs/app time -> PCR0 PCR2']],
    ['a link’s target', { app: changed(2, { content: 'other' }) }, ['file-changed rootfs/link target -> PCR0 PCR2']],
    ['a device', { app: changed(3, { device: [1, 5] }) }, ['file-changed rootfs/null device -> PCR0 PCR2']],
    ['a type', { app: changed(2, { mode: 0o100777 }) }, ['file-changed rootfs/link type+content+target -> PCR0 PCR2']],
    ['one more file', { app: [...APP, { name: 'new' }] }, ['file-added new -> PCR0 PCR2']],
    ['one file less', { app: APP.slice(0, 3) }, ['file-removed rootfs/null -> PCR0 PCR2']],
    ['the files’ order', { app: [...APP].reverse() }, ['ramdisk-encoding -> PCR0 PCR2']],
    ['the compression', { app: gzipSync(cpioArchive(APP)) }, ['ramdisk-encoding -> PCR0 PCR2']],
    ['a ramdisk that cannot be read', { app: Buffer.from('opaque') }, ['ramdisk-encoding -> PCR0 PCR2']],
    ['one more ramdisk', { more: [ramdisk('more')] }, ['ramdisk-added -> PCR0 PCR2']],
    ['the CPUs in the header', { header: { defaultCpus: 4n } }, ['header defaultCpus -> nothing']],
    ['the CPU’s kind', { header: { flags: 1 } }, ['header architecture -> nothing']],
    [
      'the metadata',
      { metadata: { ...METADATA, ImageName: 'x', DockerInfo: { a: [1] } } },
      ['metadata $.ImageName -> nothing', 'metadata $.DockerInfo -> nothing'],
    ],
    [
      'much',
      { kernel: 'k', app: changed(1, { content: 'two', mode: 0o100700 }) },
      ['kernel -> PCR0 PCR1', 'file-changed rootfs/app content+mode -> PCR0 PCR2'],
    ],
  ])('tells that %s differs, and which PCR it moves', async (_, parts, expected) => {
    const { changes } = await diffEif(image(), image(parts));
    expect(changes.map(told)).toEqual(expected);
    expect(await diffInBrowser(image(), image(parts))).toEqual(await diffEif(image(), image(parts)));
  });

  it('tells both ways alike', async () => {
    const { changes } = await diffEif(image({ more: [ramdisk('more')], app: [...APP, { name: 'new' }] }), image());
    expect(changes.map(told)).toEqual(['file-removed new -> PCR0 PCR2', 'ramdisk-removed -> PCR0 PCR2']);
  });

  it('blames no PCR for bytes that moved from the kernel to the command line', async () => {
    const { moved, changes } = await diffEif(
      image({ kernel: 'kernel', cmdline: 'quiet' }),
      image({ kernel: 'kern', cmdline: 'elquiet' }),
    );
    expect(moved).toEqual([]);
    expect(changes.map(told)).toEqual(['kernel -> nothing', 'cmdline -> nothing']);
  });

  it('tells of another order of the sections', async () => {
    const [one, two, three] = [kernel(), cmdline(), ramdisk(cpioArchive(BOOT))];
    const left = syntheticImage([one, two, metadata(), three]);
    const { changes } = await diffEif(left, syntheticImage([two, one, metadata(), three]));
    expect(changes.map(told)).toEqual(['section-order -> PCR0 PCR1']);
  });

  describe('of signed images', () => {
    let folder = '';
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'eif-diff-'));
    });
    afterAll(() => rm(folder, { recursive: true }));

    it('tells of the signature and the certificate', async () => {
      const path = join(folder, 'signed.eif');
      await writeFile(path, image());
      await signEif(path, await createSigner(folder, 'secp384r1', 3));
      const signed = new Uint8Array(await readFile(path));
      expect((await diffEif(image(), signed)).changes.map(told)).toEqual(['signature -> PCR8']);
      expect((await diffEif(signed, signed)).changes).toEqual([]);
      await signEif(path, await createSigner(folder, 'secp521r1', 3));
      expect((await diffEif(signed, path)).moved).toEqual(['PCR8']);
    });
  });
});
