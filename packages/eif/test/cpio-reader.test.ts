import { execFile } from 'node:child_process';
import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CpioEntry } from '../src/cpio/entry.ts';
import type { CpioOptions } from '../src/cpio/reader.ts';
import { readCpio } from '../src/cpio/reader.ts';
import { gunzip } from '../src/node/gunzip.ts';
import type { SyntheticFile } from './synthetic-image.ts';
import { cpioArchive, cpioEntry } from './synthetic-image.ts';

async function* inPieces(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

interface Listed extends CpioEntry {
  readonly content: string;
}

async function list(archive: Uint8Array, pieceLength = 1000, options: CpioOptions = {}): Promise<Listed[]> {
  const listed: Listed[] = [];
  await readCpio(
    inPieces(archive, pieceLength),
    async (entry, content) => {
      const parts: Uint8Array[] = [];
      for await (const piece of content) parts.push(piece.slice());
      listed.push({ ...entry, content: Buffer.concat(parts).toString() });
    },
    { gunzip, ...options },
  );
  return listed;
}

type Refusal = [what: string, archive: Uint8Array, code: string, limits?: CpioOptions];

const TRAILER = cpioEntry({ name: 'TRAILER!!!', mode: 0 }, 0);
const only = (file: SyntheticFile): Buffer => Buffer.concat([cpioEntry(file, 1), TRAILER]);

/** The archive of one file with the bytes from `at` on replaced. */
function patched(at: number, text: string, file: SyntheticFile = { name: 'a', content: 'hello' }): Buffer {
  const archive = only(file);
  archive.write(text, at, 'latin1');
  return archive;
}

describe('readCpio', () => {
  it('reads every kind of entry with all of its fields', async () => {
    const archive = cpioArchive([
      { name: '.', mode: 0o040755 },
      { name: './bin', mode: 0o040755, mtime: 7 },
      { name: '/bin/app', mode: 0o104755, uid: 1000, gid: 1001, content: 'hello' },
      { name: 'link', mode: 0o120777, content: '../bin/app' },
      { name: 'null', mode: 0o020666, device: [1, 3] },
      { name: 'disk', mode: 0o060660, device: [259, 1] },
      { name: 'pipe', mode: 0o010600 },
      { name: 'socket', mode: 0o140600 },
      { name: 'shared', inode: 5, links: 2 },
    ]);
    const common = { uid: 0, gid: 0, mtime: 1_500_000_000, size: 0, content: '' };
    expect(await list(archive)).toEqual([
      { ...common, path: '.', type: 'directory', mode: 0o755 },
      { ...common, path: 'bin', type: 'directory', mode: 0o755, mtime: 7 },
      { ...common, path: 'bin/app', type: 'file', mode: 0o4755, uid: 1000, gid: 1001, size: 5, content: 'hello' },
      { ...common, path: 'link', type: 'symlink', mode: 0o777, size: 10, target: '../bin/app' },
      { ...common, path: 'null', type: 'character-device', mode: 0o666, device: { major: 1, minor: 3 } },
      { ...common, path: 'disk', type: 'block-device', mode: 0o660, device: { major: 259, minor: 1 } },
      { ...common, path: 'pipe', type: 'fifo', mode: 0o600 },
      { ...common, path: 'socket', type: 'socket', mode: 0o600 },
      { ...common, path: 'shared', type: 'file', mode: 0o644, hardLinkKey: '3:1:5' },
    ]);
  });

  it.each([
    ['nothing at all', Buffer.alloc(0), []],
    ['zeros only', Buffer.alloc(5000), []],
    ['zeros before and behind', Buffer.concat([Buffer.alloc(8), only({ name: 'a' }), Buffer.alloc(1000)]), ['a']],
    ['several archives', Buffer.concat([only({ name: 'a' }), only({ name: 'b' })]), ['a', 'b']],
    ['gzip', gzipSync(Buffer.concat([only({ name: 'a' }), only({ name: 'b' })])), ['a', 'b']],
    ['a plain archive, then gzip', Buffer.concat([only({ name: 'a' }), gzipSync(only({ name: 'b' }))]), ['a', 'b']],
    [
      'upper-case numbers',
      Buffer.from(
        only({ name: 'a' })
          .toString('latin1')
          .replace(/[a-f]/g, (digit) => digit),
        'latin1',
      ),
      ['a'],
    ],
    ['checksums', only({ name: 'a', magic: '070702', content: 'abc', checksum: 294 }), ['a']],
  ])('takes %s as the kernel does', async (_, archive, expected) => {
    expect((await list(archive)).map(({ path }) => path)).toEqual(expected);
  });

  it.each<Refusal>([
    ['no archive', Buffer.from('?'.repeat(200)), 'CPIO_MAGIC'],
    ['the old binary form', Buffer.from('c771', 'hex'), 'CPIO_MAGIC'],
    ['the old portable form', patched(0, '070707'), 'CPIO_MAGIC'],
    ['a second entry without its magic', Buffer.concat([cpioEntry({ name: 'a' }, 1), Buffer.alloc(200)]), 'CPIO_MAGIC'],
    ['a number that is none', patched(14, '0000000g'), 'CPIO_NUMBER'],
    ['a number with a sign', patched(54, '+0000005'), 'CPIO_NUMBER'],
    ['a number with a prefix', patched(54, '0x000005'), 'CPIO_NUMBER'],
    ['a mode without a type', only({ name: 'a', mode: 0o644 }), 'CPIO_NUMBER'],
    ['a folder with content', only({ name: 'a', mode: 0o040755, content: 'x' }), 'CPIO_NUMBER'],
    ['a device with content', only({ name: 'a', mode: 0o020666, device: [1, 3], content: 'x' }), 'CPIO_NUMBER'],
    ['a trailer with content', cpioEntry({ name: 'TRAILER!!!', content: 'x' }, 0), 'CPIO_NUMBER'],
    ['a name of no bytes', patched(94, '00000000'), 'CPIO_NAME'],
    ['a name without its NUL', patched(94, '00000001'), 'CPIO_NAME'],
    ['a name with a NUL inside', only({ name: 'a\0b' }), 'CPIO_NAME'],
    ['a name that leads upwards', only({ name: 'a/../../etc/passwd' }), 'CPIO_NAME'],
    ['a name that is no UTF-8', patched(110, '\xff'), 'CPIO_NAME'],
    ['a name of 4097 bytes', only({ name: 'n'.repeat(4096) }), 'CPIO_NAME_TOO_LONG'],
    ['a name of gigabytes', patched(94, 'ffffffff'), 'CPIO_NAME_TOO_LONG'],
    ['a link to nothing', only({ name: 'a', mode: 0o120777 }), 'CPIO_LINK_TARGET'],
    [
      'a link’s target of 4096 bytes',
      only({ name: 'a', mode: 0o120777, content: 'x'.repeat(4096) }),
      'CPIO_LINK_TARGET',
    ],
    ['a link’s target of gigabytes', only({ name: 'a', mode: 0o120777, size: 0xffff_ffff }), 'CPIO_LINK_TARGET'],
    ['a link’s target with a NUL', only({ name: 'a', mode: 0o120777, content: 'x\0y' }), 'CPIO_LINK_TARGET'],
    ['content of gigabytes that is not there', only({ name: 'a', size: 0xffff_ffff }), 'CPIO_TRUNCATED'],
    ['half a fixed part', only({ name: 'a' }).subarray(0, 50), 'CPIO_TRUNCATED'],
    ['half a name', only({ name: 'abcdef' }).subarray(0, 112), 'CPIO_TRUNCATED'],
    ['half a content', only({ name: 'a', content: 'hello' }).subarray(0, 114), 'CPIO_TRUNCATED'],
    ['half a target', only({ name: 'a', mode: 0o120777, content: 'hello' }).subarray(0, 114), 'CPIO_TRUNCATED'],
    ['half a padding', only({ name: 'a', content: 'hello' }).subarray(0, 118), 'CPIO_TRUNCATED'],
    ['padding that says something', patched(117, 'x'), 'CPIO_PADDING'],
    ['an archive that begins anywhere', Buffer.concat([Buffer.alloc(6), only({ name: 'a' })]), 'CPIO_PADDING'],
    ['the same in gzip', gzipSync(Buffer.concat([Buffer.alloc(5), only({ name: 'a' })])), 'CPIO_PADDING'],
    [
      'a second archive that begins anywhere',
      Buffer.concat([only({ name: 'a' }), Buffer.alloc(1), only({ name: 'b' })]),
      'CPIO_PADDING',
    ],
    ['no trailer', cpioEntry({ name: 'a' }, 1), 'CPIO_TRAILER_MISSING'],
    ['something behind the trailer', Buffer.concat([only({ name: 'a' }), Buffer.from('x')]), 'CPIO_TRAILING_BYTES'],
    ['a wrong checksum', only({ name: 'a', magic: '070702', content: 'abc', checksum: 295 }), 'CPIO_CHECKSUM'],
    ['too many entries', cpioArchive([{ name: 'a' }, { name: 'b' }]), 'CPIO_TOO_MANY_ENTRIES', { maxEntries: 1 }],
    ['too many bytes', only({ name: 'a', content: 'x'.repeat(100) }), 'CPIO_TOO_LARGE', { maxBytes: 200 }],
    [
      'a few bytes of gzip that hold much',
      gzipSync(only({ name: 'a', content: 'x'.repeat(100_000) })),
      'CPIO_TOO_LARGE',
      { maxBytes: 50_000 },
    ],
    ['damaged gzip', gzipSync(only({ name: 'a' })).fill(0xff, 20, 40), 'CPIO_COMPRESSION'],
    ['gzip cut short', gzipSync(only({ name: 'a' })).subarray(0, 40), 'CPIO_COMPRESSION'],
    [
      'gzip with something behind',
      Buffer.concat([gzipSync(only({ name: 'a' })), Buffer.from('x')]),
      'CPIO_COMPRESSION',
    ],
    [
      'gzip, zeros, and an archive that the kernel would unpack',
      Buffer.concat([gzipSync(only({ name: 'a' })), Buffer.alloc(512), only({ name: 'b' })]),
      'CPIO_COMPRESSION',
    ],
    ['gzip inside of gzip', gzipSync(gzipSync(only({ name: 'a' }))), 'CPIO_MAGIC'],
    ['zstd', Buffer.from('28b52ffd', 'hex'), 'CPIO_COMPRESSION'],
    ['xz', Buffer.from('fd377a585a00', 'hex'), 'CPIO_COMPRESSION'],
    ['zlib', deflateSync(only({ name: 'a' })), 'CPIO_MAGIC'],
  ])('refuses %s', async (_, archive, code, limits) => {
    await expect(list(archive, 1000, limits)).rejects.toMatchObject({ code });
    await expect(list(archive, 7, limits)).rejects.toMatchObject({ code });
  });

  it('stops when it is told to, in the middle of what one compressed piece has become', async () => {
    const archive = gzipSync(only({ name: 'a', content: 'x'.repeat(20_000_000) }));
    const stop = new AbortController();
    let seen = 0;
    const reading = readCpio(
      inPieces(archive, archive.length),
      async (_, content) => {
        for await (const piece of content) {
          seen += piece.length;
          stop.abort(new Error('enough'));
        }
      },
      { gunzip, signal: stop.signal },
    );
    await expect(reading).rejects.toThrow('enough');
    expect(seen).toBeLessThan(1_000_000);
  });

  it('reads the same whatever the pieces, and whatever the visitor leaves unread', async () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-zé]{1,20}$/), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.string({ maxLength: 200 }),
        fc.integer({ min: 1, max: 400 }),
        async (all, content, length) => {
          const archive = cpioArchive(all.map((name) => ({ name, content })));
          const listed = await list(archive, length);
          expect(listed.map(({ path, content: read }) => [path, read])).toEqual(all.map((name) => [name, content]));
          const unread: string[] = [];
          await readCpio(inPieces(archive, length), ({ path }) => {
            unread.push(path);
          });
          expect(unread).toEqual(all);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('ends in a CPIO error or a whole reading, whatever the bytes', async () => {
    const archive = cpioArchive([
      { name: 'a', content: 'hello' },
      { name: 'b', mode: 0o120777, content: 'a' },
    ]);
    await fc.assert(
      fc.asyncProperty(fc.nat(archive.length - 1), fc.uint8Array({ minLength: 1, maxLength: 9 }), async (at, bytes) => {
        const changed = Buffer.concat([archive.subarray(0, at), bytes, archive.subarray(at + bytes.length)]);
        const outcome = await list(changed).catch((error: { code?: unknown }) => error.code);
        if (!Array.isArray(outcome)) expect(outcome).toMatch(/^CPIO_/);
      }),
      { numRuns: 500 },
    );
  });

  it('reads what GNU cpio writes (where it is installed)', async ({ skip }) => {
    const folder = await mkdtemp(join(tmpdir(), 'eif-cpio-'));
    try {
      await mkdir(join(folder, 'files/sub'), { recursive: true });
      await writeFile(join(folder, 'files/sub/a'), 'hello');
      await link(join(folder, 'files/sub/a'), join(folder, 'files/sub/b'));
      await symlink('sub/a', join(folder, 'files/c'));
      const shell = 'find files | sort | cpio --quiet -o -H newc';
      const made = await promisify(execFile)('sh', ['-c', `command -v cpio >/dev/null || exit 99; ${shell}`], {
        cwd: folder,
        encoding: 'buffer',
      }).catch((error: { code?: unknown }) => error);
      skip('code' in made && made.code === 99, 'cpio is not installed');
      const listed = await list('stdout' in made ? made.stdout : Buffer.alloc(0));
      expect(listed.map(({ path, type }) => [path, type])).toEqual([
        ['files', 'directory'],
        ['files/c', 'symlink'],
        ['files/sub', 'directory'],
        ['files/sub/a', 'file'],
        ['files/sub/b', 'file'],
      ]);
      // Of two hard links the last one carries the content.
      expect(listed.map(({ content }) => content).join('')).toBe('hello');
      expect(listed[3]?.hardLinkKey).toBe(listed[4]?.hardLinkKey);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
