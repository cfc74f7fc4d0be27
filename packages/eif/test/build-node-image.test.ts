import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  statSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { measureEif } from '@nitro-enclaves/eif';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernel, Workplace } from './build/workplace.ts';

/** What Node loads, and what its programs ask for. */
const PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6', 'dash', 'coreutils', 'base-files', 'tzdata', 'ca-certificates'];
const ARCHITECTURE = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** The image is made of packages that this machine has: nothing is fetched. */
function whyNoImage(): string | undefined {
  const { status } = spawnSync('dpkg-query', ['--listfiles', ...PACKAGES], { stdio: 'ignore' });
  if (status !== 0) return `needs Debian with the packages ${PACKAGES.join(', ')}`;
  return ['x64', 'arm64'].includes(process.arch) ? undefined : 'needs an x86_64 or aarch64 machine';
}

/** Debian's merged folders: links at the top, into /usr. */
const MERGED = ['bin', 'sbin', 'lib', 'lib64'];

/** Paths of all files that the packages own, below the root, without folders, links on the way followed. */
function packagedFiles(): string[] {
  const list = execFileSync('dpkg-query', ['--listfiles', ...PACKAGES], { encoding: 'utf8', maxBuffer: 64 << 20 });
  const paths = list.split('\n').filter((path) => path.startsWith('/') && existsSync(path));
  const files = paths.filter((path) => !statSync(path).isDirectory());
  return [...new Set(files.map((path) => join(realpathSync(dirname(path)), basename(path)).slice(1)))];
}

/** Unpacks the packages' files in this order and under this umask, and puts Node beside them. */
function makeRoot(root: string, files: readonly string[], umask: number): void {
  const before = process.umask(umask);
  for (const name of MERGED) mkdirSync(join(root, 'usr', name), { recursive: true });
  for (const name of MERGED) symlinkSync(`usr/${name}`, join(root, name));
  const input = files.map((path) => `${path}\0`).join('');
  const options = { input, maxBuffer: 512 << 20 };
  const archive = execFileSync('tar', ['-C', '/', '--no-recursion', '--null', '-cf', '-', '-T', '-'], options);
  execFileSync('tar', ['-C', root, '--no-same-permissions', '--no-same-owner', '-xf', '-'], { input: archive });
  mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
  copyFileSync(process.execPath, join(root, 'usr/local/bin/node'));
  chmodSync(join(root, 'usr/local/bin/node'), 0o755 & ~umask);
  process.umask(before);
}

function touchEverything(folder: string, time: number): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) touchEverything(path, time + 1);
    if (entry.isFile()) utimesSync(path, time, time);
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
  return hash.digest('hex');
}

const reason = whyNoImage();

describe.skipIf(reason !== undefined)(
  `an image of Debian packages with Node inside${reason ? ` [${reason}]` : ''}`,
  () => {
    let place: Workplace;
    const PROGRAM = { entrypoint: ['node'], cmd: ['-e', '0'] };
    beforeAll(() => {
      place = new Workplace();
      place.file('kernel', kernel(ARCHITECTURE));
      makeRoot(place.path('first'), packagedFiles(), 0o022);
    }, 120_000);
    afterAll(() => place.remove());

    it('is the same file, built in another folder, later, under another umask, from files in another order', async () => {
      const first = await place.build({ kernel: place.path('kernel'), rootfs: place.path('first'), ...PROGRAM });
      expect(first.byteLength).toBeGreaterThan(80 << 20);
      mkdirSync(place.path('elsewhere'));
      const second = place.path('elsewhere/second');
      makeRoot(second, packagedFiles().reverse(), 0o077);
      touchEverything(second, 1_000_000_000);
      const before = process.umask(0o027);
      const again = await place.build({
        kernel: place.path('kernel'),
        rootfs: second,
        output: join(dirname(second), 'again.eif'),
        ...PROGRAM,
      });
      process.umask(before);
      expect(again.pcrs).toEqual(first.pcrs);
      expect(await sha256(again.path)).toBe(await sha256(first.path));
    }, 180_000);

    it('is the same from a folder and from an archive of it', async () => {
      const owners = ['--owner=0', '--group=0', '--numeric-owner'];
      execFileSync('tar', ['-C', place.path('first'), ...owners, '-cf', place.path('root.tar'), '.']);
      const options = { kernel: place.path('kernel'), ...PROGRAM };
      const fromArchive = await place.build({ ...options, rootfs: place.path('root.tar') });
      const fromFolder = await place.build({ ...options, rootfs: place.path('first') });
      expect(fromFolder.pcrs).toEqual(fromArchive.pcrs);
      expect(await measureEif(fromFolder.path)).toEqual(fromFolder.pcrs);
    }, 180_000);
  },
);
