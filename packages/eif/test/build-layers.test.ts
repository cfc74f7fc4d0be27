import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { EifEntry } from '@nitro-enclaves/eif';
import { EifBuildError } from '@nitro-enclaves/eif';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ociLayout, PLAIN, writeFolder } from './build/image-writer.ts';
import type { TestTarEntry } from './build/tar-writer.ts';
import { pax, tar } from './build/tar-writer.ts';
import { elf, Workplace } from './build/workplace.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place.remove());

const APP: TestTarEntry = { name: 'app', content: elf(), mode: 0o755 };

/** The files of an image of these layers, by path in the root file system. */
async function layered(...layers: readonly (readonly TestTarEntry[])[]): Promise<Map<string, EifEntry>> {
  const files = ociLayout({ layers: [[APP], ...layers].map((entries) => ({ entries, store: PLAIN })) });
  const entries = await place.buildAndList({ image: writeFolder(place.path('image'), files) });
  return new Map(
    [...entries].filter(([path]) => path.startsWith('rootfs/')).map(([path, entry]) => [path.slice(7), entry]),
  );
}

function buildTar(bytes: Buffer): ReturnType<Workplace['build']> {
  return place.build({ rootfs: place.file('root.tar', bytes), entrypoint: ['/app'] });
}

async function expectRefusal(entries: readonly TestTarEntry[], code: string): Promise<void> {
  await expect(buildTar(tar([APP, ...entries]))).rejects.toMatchObject({ code });
  expect(place.names()).toEqual(['bzImage', 'root.tar']);
}

function sha384(text: string): string {
  return createHash('sha384').update(text).digest('hex');
}

describe('layers', () => {
  it('lie over one another: files are replaced, folders are joined', async () => {
    const files = await layered(
      [
        { name: 'etc/', mode: 0o700 },
        { name: 'etc/a', content: 'old' },
        { name: 'etc/b', content: 'b' },
      ],
      [
        { name: 'etc/', mode: 0o750, uid: 5 },
        { name: 'etc/a', content: 'new' },
      ],
    );
    expect(files.get('etc')).toMatchObject({ mode: 0o750, uid: 5 });
    expect(files.get('etc/a')?.sha384).toBe(sha384('new'));
    expect(files.get('etc/b')?.sha384).toBe(sha384('b'));
  });

  it('may put a file where a folder was, and a folder where a file or a link was', async () => {
    const files = await layered(
      [
        { name: 'one/deep', content: '' },
        { name: 'two', content: '' },
        { name: 'three', type: '2', link: 'one' },
      ],
      [{ name: 'one', content: 'file' }, { name: 'two/' }, { name: 'two/deep', content: '' }, { name: 'three/' }],
    );
    expect(files.get('one')?.type).toBe('file');
    expect(files.has('one/deep')).toBe(false);
    expect(files.get('two/deep')?.type).toBe('file');
    expect(files.get('three')?.type).toBe('directory');
  });

  it('take files and folders away with whiteouts', async () => {
    const files = await layered(
      [
        { name: 'a/x', content: '' },
        { name: 'a/y', content: '' },
        { name: 'b/z', content: '' },
      ],
      [
        { name: 'a/.wh.x', content: '' },
        { name: '.wh.b', content: '' },
        { name: '.wh.never-there', content: '' },
      ],
    );
    expect([...files.keys()].filter((path) => /^[ab]($|\/)/.test(path))).toEqual(['a', 'a/y']);
    expect([...files.keys()].some((path) => path.includes('.wh.'))).toBe(false);
  });

  it('take the lower content of a folder away with an opaque whiteout, wherever it stands', async () => {
    const lower = [
      { name: 'a/old', content: '' },
      { name: 'a/sub/old', content: '' },
    ];
    const upper = [
      { name: 'a/new', content: '' },
      { name: 'a/.wh..wh..opq', content: '' },
    ];
    for (const entries of [upper, [...upper].reverse()]) {
      const files = await layered(lower, entries);
      expect([...files.keys()].filter((path) => path.startsWith('a/'))).toEqual(['a/new']);
    }
  });

  it('may bring back what they take away', async () => {
    const files = await layered(
      [{ name: 'a', content: 'old' }],
      [
        { name: 'a', content: 'new' },
        { name: '.wh.a', content: '' },
      ],
    );
    expect(files.get('a')?.sha384).toBe(sha384('new'));
  });

  it('keep hard links as one file, also to a lower layer', async () => {
    const files = await layered(
      [
        { name: 'a', content: 'same' },
        { name: 'b', type: '1', link: 'a' },
      ],
      [{ name: 'c', type: '1', link: './a' }],
    );
    const keys = ['a', 'b', 'c'].map((name) => files.get(name)?.hardLinkKey);
    expect(keys[0]).toBeDefined();
    expect(new Set(keys).size).toBe(1);
  });

  it('are written through links that lower layers have, inside of the root', async () => {
    const files = await layered(
      [{ name: 'usr/lib/' }, { name: 'lib', type: '2', link: 'usr/lib' }, { name: 'abs', type: '2', link: '/usr/lib' }],
      [
        { name: 'lib/a', content: '' },
        { name: 'abs/b', content: '' },
      ],
      [{ name: 'lib/.wh.b', content: '' }],
    );
    expect(files.has('usr/lib/a')).toBe(true);
    expect(files.has('usr/lib/b')).toBe(false);
    expect(files.get('lib')).toMatchObject({ type: 'symlink', target: 'usr/lib' });
  });

  it('cannot leave the root through a link, however it points', async () => {
    const outside = place.file('outside/victim', 'untouched');
    const files = await layered([
      { name: 'up', type: '2', link: '../../../../../../../..' },
      { name: `up${outside}`, content: 'evil' },
      { name: 'abs', type: '2', link: '/' },
      { name: 'abs/inside', content: '' },
    ]);
    expect(readFileSync(outside, 'utf8')).toBe('untouched');
    expect(files.has(outside.slice(1))).toBe(true);
    expect(files.has('inside')).toBe(true);
  });

  it('give the root itself attributes', async () => {
    const entries = await place.buildAndList({
      rootfs: place.file(
        'root.tar',
        tar([
          { name: './', mode: 0o711, uid: 7 },
          { ...APP, name: './app' },
        ]),
      ),
      entrypoint: ['/app'],
    });
    expect(entries.get('rootfs')).toMatchObject({ mode: 0o711, uid: 7 });
  });

  it('say which extended attributes are lost', async () => {
    const { warnings } = await buildTar(
      tar([APP, pax({ 'SCHILY.xattr.security.capability': 'x' }), { name: 'ping', content: '' }]),
    );
    expect(warnings).toMatchObject([{ code: 'ATTRIBUTES_DROPPED', message: expect.stringContaining('ping') }]);
  });

  it('drop what container engines leave behind', async () => {
    const files = await layered([
      { name: '.dockerenv', content: '' },
      { name: '.wh..wh.plnk/1.2', content: '' },
      { name: '.wh..wh.aufs', content: '' },
    ]);
    expect([...files.keys()].filter((path) => path.startsWith('.'))).toEqual([]);
  });
});

describe('long names', () => {
  const long = `${'folder/'.repeat(20)}${'n'.repeat(120)}`;

  it('come as pax records, as GNU entries and in the ustar prefix', async () => {
    const forms: TestTarEntry[][] = [
      [pax({ path: long }), { name: 'short', content: 'x' }],
      [
        { name: '././@LongLink', type: 'L', content: `${long}\0` },
        { name: 'short', content: 'x' },
      ],
    ];
    for (const entries of forms) expect((await layered(entries)).get(long)?.sha384).toBe(sha384('x'));
    const prefixed = {
      name: 'name',
      content: 'x',
      edit: (header: Buffer) => header.write('a/long/prefix', 345, 'latin1'),
    };
    expect((await layered([prefixed])).has('a/long/prefix/name')).toBe(true);
    const target = 't'.repeat(300);
    const links: TestTarEntry[][] = [
      [pax({ linkpath: target }), { name: 'link', type: '2', link: 'short' }],
      [
        { name: '././@LongLink', type: 'K', content: `${target}\0` },
        { name: 'link', type: '2', link: 'short' },
      ],
    ];
    for (const entries of links) expect((await layered(entries)).get('link')?.target).toBe(target);
  });

  it('belong to the next entry alone, but for global records', async () => {
    const files = await layered([
      pax({ uid: '77' }, 'g'),
      pax({ path: long, gid: '88' }),
      { name: 'one', content: '' },
      { name: 'two', content: '' },
    ]);
    expect(files.get(long)).toMatchObject({ uid: 77, gid: 88 });
    expect(files.get('two')).toMatchObject({ uid: 77, gid: 0 });
  });

  it('and large numbers come in binary too', async () => {
    const edit = (header: Buffer): void => {
      header.fill(0, 108, 116);
      header.writeUInt8(0x80, 108);
      header.writeUInt32BE(3_000_000_000, 112);
    };
    expect((await layered([{ name: 'a', content: '', edit }])).get('a')?.uid).toBe(3_000_000_000);
  });

  it.skipIf(!existsSync('/bin/tar') && !existsSync('/usr/bin/tar'))(
    'as the tar command writes them, in each of its formats [needs tar]',
    async () => {
      place.file('root/app', elf(), 0o755);
      place.file(`root/${long}`, 'deep');
      place.link('root/link', 't'.repeat(300));
      const pcrs = [];
      for (const format of ['gnu', 'pax', 'posix']) {
        const archive = place.path(`${format}.tar`);
        const flags = [`--format=${format}`, '--owner=0', '--group=0', '--sort=none', '--mode=u=rwX,go=rX'];
        execFileSync('tar', ['-C', place.path('root'), ...flags, '-cf', archive, '.']);
        pcrs.push((await place.build({ rootfs: archive, entrypoint: ['/app'] })).pcrs.PCR2);
      }
      const folder = await place.build({ rootfs: place.path('root'), entrypoint: ['/app'] });
      expect(new Set([...pcrs, folder.pcrs.PCR2]).size).toBe(1);
    },
  );
});

describe('a hostile archive is refused', () => {
  it('when a name leads out of the root', async () => {
    for (const name of ['../evil', 'a/../../evil', '..', 'a/..', './../evil', '/../evil']) {
      await expectRefusal([{ name, content: '' }], 'BUILD_PATH');
      await expectRefusal([pax({ path: name }), { name: 'x', content: '' }], 'BUILD_PATH');
      await expectRefusal(
        [
          { name: 'L', type: 'L', content: name },
          { name: 'x', content: '' },
        ],
        'BUILD_PATH',
      );
      await expectRefusal([{ name: 'hard', type: '1', link: name }], 'BUILD_PATH');
    }
  });

  it('when a name holds a NUL byte', async () => {
    await expectRefusal([pax({ path: 'a\0b' }), { name: 'x', content: '' }], 'BUILD_PATH');
  });

  it('when a name is longer than the kernel unpacks', async () => {
    for (const path of ['n'.repeat(256), 'd/'.repeat(2100), `${'d'.repeat(200)}/`.repeat(20) + 'x'.repeat(80)]) {
      await expectRefusal([pax({ path }), { name: 'x', content: '' }], 'BUILD_NAME_TOO_LONG');
    }
  });

  it('when a hard link leads to nothing, to a folder, or to itself', async () => {
    await expectRefusal([{ name: 'hard', type: '1', link: 'missing' }], 'BUILD_LINK');
    await expectRefusal([{ name: 'hard', type: '1', link: 'hard' }], 'BUILD_LINK');
    await expectRefusal([{ name: 'folder/' }, { name: 'hard', type: '1', link: 'folder' }], 'BUILD_LINK');
    await expectRefusal([{ name: 'hard', type: '1', link: '' }], 'BUILD_LINK');
  });

  it('when a symbolic link has no target, one too long, or one with a NUL byte', async () => {
    await expectRefusal([{ name: 'link', type: '2' }], 'BUILD_LINK');
    await expectRefusal([pax({ linkpath: 't'.repeat(4096) }), { name: 'link', type: '2' }], 'BUILD_LINK');
    await expectRefusal([pax({ linkpath: 'a\0b' }), { name: 'link', type: '2' }], 'BUILD_LINK');
  });

  it('when something other than a folder is on the way', async () => {
    await expectRefusal([{ name: 'app/below', content: '' }], 'BUILD_PATH');
    await expectRefusal(
      [
        { name: 'l', type: '2', link: 'nowhere' },
        { name: 'l/below', content: '' },
      ],
      'BUILD_PATH',
    );
    await expectRefusal(
      [
        { name: 'l', type: '2', link: 'l' },
        { name: 'l/below', content: '' },
      ],
      'BUILD_PATH',
    );
    await expectRefusal(
      [{ name: './', type: '0', content: '', edit: (header) => header.write('.\0', 0) }],
      'BUILD_PATH',
    );
  });

  it('or taken, when it nests folders as deep as a path may go', async () => {
    const path = `${'d/'.repeat(2000)}x`;
    const { pcrs } = await buildTar(tar([APP, pax({ path }), { name: 'x', content: '' }]));
    expect(pcrs.PCR0).toMatch(/^[0-9a-f]{96}$/);
  });

  it('when a file will not fit', async () => {
    await expectRefusal([pax({ size: '99999999999' }), { name: 'huge', content: 'x' }], 'BUILD_TAR');
    await expectRefusal([{ name: 'huge', content: 'x', size: 0o77777777777 }], 'BUILD_TAR');
  });

  it('when an entry is of an unknown type, or sparse', async () => {
    for (const type of ['S', 'V', 'M', 'N', 'X', 'D', '8', '\u00ff']) {
      await expectRefusal([{ name: 'x', type, content: '' }], 'BUILD_TAR');
    }
    await expectRefusal([pax({ 'GNU.sparse.major': '1' }), { name: 'x', content: '' }], 'BUILD_TAR');
  });

  it('when a header is broken', async () => {
    await expectRefusal([{ name: 'x', content: '', badChecksum: true }], 'BUILD_TAR');
    await expectRefusal([{ name: 'x', content: '', edit: (header) => header.write('9z', 124) }], 'BUILD_TAR');
    await expectRefusal([{ name: 'x', content: '', edit: (header) => header.fill(0xff, 124, 136) }], 'BUILD_TAR');
    await expectRefusal([{ name: 'x', content: '', edit: (header) => header.fill(0xff, 108, 116) }], 'BUILD_TAR');
    await expectRefusal([{ name: 'x', type: '3', major: 0o7777777, content: '' }], 'BUILD_TAR');
  });

  it('when an extended header is broken, endless, or about nothing', async () => {
    for (const content of ['5', '7 a=b', '99 a=b\n', '0 a=b\n', '6 =bc\n', '-6 a=b\n', 'x a=b\n', '6 a=b\n1']) {
      await expectRefusal(
        [
          { name: 'pax', type: 'x', content },
          { name: 'x', content: '' },
        ],
        'BUILD_TAR',
      );
    }
    await expectRefusal([pax({ uid: '1e3' }), { name: 'x', content: '' }], 'BUILD_TAR');
    await expectRefusal([pax({ uid: '4294967295' }), { name: 'x', content: '' }], 'BUILD_TAR');
    await expectRefusal([pax({ size: '-1' }), { name: 'x', content: '' }], 'BUILD_TAR');
    await expectRefusal([{ name: 'L', type: 'L', size: 1 << 30 }], 'BUILD_TAR');
    await expectRefusal([pax({ path: 'a' })], 'BUILD_TAR');
  });

  it('when it is cut off, even between entries', async () => {
    const whole = tar([APP, { name: 'b', content: 'content' }]);
    const end = whole.length - 1024;
    for (const length of [end, end - 1, end - 511, end - 513, end - 1023, end - 1024, 100, 511, 0]) {
      await expect(buildTar(whole.subarray(0, length))).rejects.toBeInstanceOf(EifBuildError);
    }
    await buildTar(whole.subarray(0, end + 512));
  });

  it('or read to its end: any bytes give an image or a coded error', async () => {
    const valid = tar([APP, pax({ path: 'x/y' }), { name: 'a', content: 'a' }, { name: 'l', type: '2', link: 'a' }]);
    const changes = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(changes, async (edits) => {
        const bytes = Buffer.from(valid);
        for (const [at, value] of edits) bytes.writeUInt8(value, at);
        try {
          await buildTar(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(EifBuildError);
          expect(place.names().filter((name) => name.endsWith('.partial'))).toEqual([]);
        }
      }),
      { numRuns: 200 },
    );
  }, 120_000);
});

it('a file beyond what the ramdisk format can hold is refused before anything is written', async () => {
  place.file('root/app', elf(), 0o755);
  const { truncateSync } = await import('node:fs');
  writeFileSync(place.path('root/huge'), '');
  truncateSync(place.path('root/huge'), 2 ** 32); // sparse: takes no room
  await expect(place.build({ rootfs: place.path('root'), entrypoint: ['/app'] })).rejects.toMatchObject({
    code: 'BUILD_FILE_TOO_LARGE',
    path: 'rootfs/huge',
  });
  expect(place.names()).toEqual(['bzImage', 'root']);
});
