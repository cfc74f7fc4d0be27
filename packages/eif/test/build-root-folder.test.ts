import { createHash } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { buildEif, extractEif, measureEif, readEif, verifyEif } from '@nitro-enclaves/eif';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { elf, kernel, Workplace } from './build/workplace.ts';
import { createSigner } from './openssl.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.file('root/app', elf(), 0o755);
});
afterEach(() => place.remove());

const APP = { entrypoint: ['/app'] };

function recordsOf(bytes: Buffer): string[] {
  return bytes.toString('utf8').split('\0').slice(0, -1);
}

async function appConf(options: Parameters<Workplace['build']>[0]): Promise<string[]> {
  const { path } = await place.build({ rootfs: place.path('root'), ...options });
  const { folder } = await extractEif(path, place.path('extracted'));
  return recordsOf(readFileSync(`${folder}/initramfs/app.conf`));
}

describe('buildEif from a root folder', () => {
  it('writes an image that the reader takes, with the PCRs that it reports', async () => {
    const built = await place.build({ rootfs: place.path('root'), ...APP });
    const eif = await readEif(built.path);
    expect(eif.sections.map(({ type }) => type)).toEqual(['kernel', 'cmdline', 'metadata', 'ramdisk', 'ramdisk']);
    expect(eif.cmdline).toBe('console=ttyS0');
    expect(await measureEif(built.path)).toMatchObject(built.pcrs);
    expect(built).toMatchObject({ byteLength: statSync(built.path).size, architecture: 'x86_64' });
    expect(built.warnings).toEqual([]);
  });

  it('keeps files, folders, links and FIFOs, and gives them all to root', async () => {
    place.file('root/etc/one', 'one');
    place.file('root/etc/two words', 'two', 0o600);
    linkSync(place.path('root/etc/one'), place.path('root/etc/same'));
    place.link('root/bin/link', '../app');
    const entries = await place.buildAndList({ rootfs: place.path('root'), ...APP });
    expect(entries.get('rootfs/etc/one')).toMatchObject({ type: 'file', mode: 0o644, uid: 0, gid: 0, size: 3 });
    expect(entries.get('rootfs/etc/one')?.sha384).toBe(createHash('sha384').update('one').digest('hex'));
    expect(entries.get('rootfs/etc/one')?.hardLinkKey).toBeDefined();
    expect(entries.get('rootfs/etc/same')?.hardLinkKey).toBe(entries.get('rootfs/etc/one')?.hardLinkKey);
    expect(entries.get('rootfs/etc/two words')).toMatchObject({ size: 3 });
    expect(entries.get('rootfs/bin/link')).toMatchObject({ type: 'symlink', target: '../app' });
    expect(entries.get('rootfs/bin')).toMatchObject({ type: 'directory', mode: 0o755 });
  });

  it('keeps owners and permissions as they are on disk when asked to', async () => {
    place.file('root/etc/key', 'key', 0o640);
    const normalised = await place.buildAndList({ rootfs: place.path('root'), ...APP });
    expect(normalised.get('rootfs/etc/key')?.mode).toBe(0o644);
    const kept = await place.buildAndList({ rootfs: place.path('root'), ...APP, preserveAttributes: true });
    const { uid, gid } = statSync(place.path('root/etc/key'));
    expect(kept.get('rootfs/etc/key')).toMatchObject({ mode: 0o640, uid, gid });
  });

  it('keeps the bytes of names that are not UTF-8', async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${place.path('root')}/`), Buffer.of(0x66, 0xff, 0x66)]), 'x');
    const { path } = await place.build({ rootfs: place.path('root'), ...APP });
    const bytes = readFileSync(path);
    expect(bytes.includes(Buffer.concat([Buffer.from('rootfs/f'), Buffer.of(0xff), Buffer.from('f\0')]))).toBe(true);
  });

  it('adds mount points, a usable /tmp and a name for the loopback address', async () => {
    const entries = await place.buildAndList({ rootfs: place.path('root'), ...APP });
    for (const name of ['dev', 'etc', 'proc', 'run', 'sys', 'tmp', 'var']) {
      expect(entries.get(`rootfs/${name}`)?.type).toBe('directory');
    }
    expect(entries.get('rootfs/tmp')?.mode).toBe(0o1777);
    expect(entries.get('rootfs/etc/hosts')?.size).toBeGreaterThan(0);
  });

  it('leaves an image its own hosts file', async () => {
    place.file('root/etc/hosts', '10.0.0.1 here\n');
    const entries = await place.buildAndList({ rootfs: place.path('root'), ...APP });
    expect(entries.get('rootfs/etc/hosts')?.size).toBe(14);
  });

  it('tells the init what to start, as whom and where', async () => {
    place.file('root/etc/passwd', 'root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv/web:/bin/sh\n');
    place.file('root/etc/group', 'web:x:34:\nlogs:x:44:web,root\nextra:x:45:other\n');
    const records = await appConf({
      entrypoint: ['/app', 'two words'],
      cmd: ['--flag', 'line\nbreak'],
      env: ['A=1', 'B=x=y', 'A=2'],
      user: 'web',
      workingDirectory: '/srv/new',
      exitStatusPort: 9001,
    });
    expect(records).toEqual([
      'exec=/app',
      'arg=/app',
      'arg=two words',
      'arg=--flag',
      'arg=line\nbreak',
      'env=A=2',
      'env=B=x=y',
      'env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'env=HOME=/srv/web',
      'workdir=/srv/new',
      'uid=33',
      'gid=34',
      'group=44',
      'heartbeat=1',
      'exit-status-port=9001',
      'tmpfs-1777=/tmp',
      'tmpfs-0755=/run',
    ]);
  });

  it('takes numeric users and groups that the image does not know', async () => {
    const records = await appConf({ ...APP, user: '1000:2000', heartbeat: false });
    expect(records).toEqual(expect.arrayContaining(['uid=1000', 'gid=2000', 'heartbeat=0', 'env=HOME=/']));
    expect(records.some((record) => record.startsWith('group='))).toBe(false);
  });

  it('leaves /tmp and /run unmounted where the image has files there', async () => {
    place.file('root/tmp/kept', '');
    const records = await appConf(APP);
    expect(records).not.toContain('tmpfs-1777=/tmp');
    expect(records).toContain('tmpfs-0755=/run');
  });

  it('makes the working directory where it is missing', async () => {
    const entries = await place.buildAndList({ rootfs: place.path('root'), ...APP, workingDirectory: '/srv/a/b' });
    expect(entries.get('rootfs/srv/a/b')).toMatchObject({ type: 'directory', mode: 0o755 });
  });

  it('puts the boot files in the first ramdisk: PCR1 is the same whatever the program', async () => {
    const module = place.file('nsm.ko', elf());
    const first = await place.build({ rootfs: place.path('root'), ...APP, modules: [module] });
    place.file('root/etc/more', 'more');
    const second = await place.build({ rootfs: place.path('root'), ...APP, modules: [module] });
    expect(second.pcrs.PCR1).toBe(first.pcrs.PCR1);
    expect(second.pcrs.PCR0).not.toBe(first.pcrs.PCR0);
    expect(second.pcrs.PCR2).not.toBe(first.pcrs.PCR2);
    const { folder } = await extractEif(second.path, place.path('extracted'));
    expect(recordsOf(readFileSync(`${folder}/initramfs/boot.conf`))).toEqual(['module=/modules/nsm.ko']);
    expect(readFileSync(`${folder}/initramfs/modules/nsm.ko`).equals(elf())).toBe(true);
  });

  it('carries the init for the CPU', async () => {
    writeFileSync(place.path('Image'), kernel('aarch64'));
    place.file('root/app', elf('aarch64'), 0o755);
    const built = await place.build({ rootfs: place.path('root'), ...APP, kernel: place.path('Image') });
    expect(built.architecture).toBe('aarch64');
    const { eif, folder } = await extractEif(built.path, place.path('extracted'));
    expect(eif.header.flags).toBe(1);
    expect(eif.metadata?.kernelVersion).toBe('6.6.79');
    expect(readFileSync(`${folder}/initramfs/init`).readUInt16LE(18)).toBe(183);
  });

  it('signs the image', async () => {
    const { certificate, key } = await createSigner(place.folder, 'secp384r1', 3);
    const { path, pcrs } = await place.build({ rootfs: place.path('root'), ...APP, sign: { certificate, key } });
    expect(await measureEif(path)).toEqual(pcrs);
    expect(pcrs.PCR8).toMatch(/^[0-9a-f]{96}$/);
    await verifyEif(path);
  });

  it('reports progress up to all bytes', async () => {
    const seen: { writtenBytes: number; totalBytes: number }[] = [];
    await place.build({ rootfs: place.path('root'), ...APP, onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)?.writtenBytes).toBe(seen.at(-1)?.totalBytes);
  });
});

describe('buildEif refuses a root folder', () => {
  async function expectRefusal(options: Parameters<Workplace['build']>[0], code: string): Promise<void> {
    const before = place.names();
    await expect(place.build({ rootfs: place.path('root'), ...options })).rejects.toMatchObject({ code });
    expect(place.names()).toEqual(before);
  }

  it('that is not there, or a file that is no archive', async () => {
    await expect(place.build({ ...APP, rootfs: place.path('nowhere') })).rejects.toMatchObject({ code: 'ENOENT' });
    await expectRefusal({ ...APP, rootfs: place.file('text', 'x'.repeat(600)) }, 'BUILD_TAR');
  });

  it('and an image at once, or neither', async () => {
    await expectRefusal({ ...APP, image: place.path('root') }, 'BUILD_OPTION');
    await expect(place.build(APP)).rejects.toMatchObject({ code: 'BUILD_OPTION' });
  });

  it('with the name of an image, or an image with what is for a folder', async () => {
    await expectRefusal({ ...APP, reference: 'app:1' }, 'BUILD_OPTION');
    const image = { ...APP, image: place.path('root'), preserveAttributes: true };
    await expect(place.build(image)).rejects.toMatchObject({ code: 'BUILD_OPTION' });
  });

  it('with a socket in it', async () => {
    const server = createServer().listen(place.path('root/socket'));
    await new Promise((resolve) => server.once('listening', resolve));
    try {
      await expectRefusal(APP, 'BUILD_FILE_TYPE');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('whose file has become shorter since it was listed', async () => {
    place.file('root/growing', Buffer.alloc(3 << 20));
    place.file('root/aaa', Buffer.alloc(3 << 20));
    const before = place.names();
    let changed = false;
    const onProgress = (): void => {
      if (!changed) writeFileSync(place.path('root/growing'), 'short');
      changed = true;
    };
    await expect(place.build({ rootfs: place.path('root'), ...APP, onProgress })).rejects.toMatchObject({
      code: 'BUILD_SOURCE_CHANGED',
    });
    expect(place.names()).toEqual(before);
  });

  it('for a user, a group or a working directory that the image cannot have', async () => {
    place.file('root/file', '');
    await expectRefusal({ ...APP, user: 'nobody-here' }, 'BUILD_USER');
    await expectRefusal({ ...APP, user: '0:no-such-group' }, 'BUILD_USER');
    await expectRefusal({ ...APP, user: '4294967295' }, 'BUILD_USER');
    await expectRefusal({ ...APP, workingDirectory: '/file' }, 'BUILD_WORKING_DIRECTORY');
    await expectRefusal({ ...APP, workingDirectory: '/file/below' }, 'BUILD_WORKING_DIRECTORY');
    await expectRefusal({ ...APP, workingDirectory: 'relative' }, 'BUILD_WORKING_DIRECTORY');
  });

  it('for a command or environment that cannot be passed on', async () => {
    await expectRefusal({}, 'BUILD_COMMAND_MISSING');
    await expectRefusal({ entrypoint: [''] }, 'BUILD_COMMAND_MISSING');
    await expectRefusal({ entrypoint: ['/app', 'a\0b'] }, 'BUILD_COMMAND_TEXT');
    await expectRefusal({ ...APP, env: ['NOT_A_VARIABLE'] }, 'BUILD_COMMAND_TEXT');
    await expectRefusal({ ...APP, env: [`A=${'x'.repeat(131_072)}`] }, 'BUILD_COMMAND_TEXT');
  });

  it('never tells the value of a variable that it refuses', async () => {
    const refusal = place.build({ rootfs: place.path('root'), ...APP, env: ['swordfish'] });
    await expect(refusal).rejects.not.toThrow(/swordfish/);
  });

  it('for an exit status port that vsock does not have', async () => {
    for (const exitStatusPort of [-1, 0, 1.5, 0xffff_ffff, Number.NaN]) {
      await expectRefusal({ ...APP, exitStatusPort }, 'BUILD_OPTION');
    }
  });

  it('when it is told to stop, and leaves nothing behind', async () => {
    const stop = new AbortController();
    place.file('root/large', Buffer.alloc(5 << 20));
    const before = place.names();
    const building = place.build({
      rootfs: place.path('root'),
      ...APP,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    });
    await expect(building).rejects.toThrow('enough');
    expect(place.names()).toEqual(before);
  });

  it('and leaves an image alone that was there before', async () => {
    const output = place.file('out.eif', 'before');
    await expect(buildEif({ output, rootfs: place.path('root') })).rejects.toMatchObject({ code: 'BUILD_KERNEL' });
    expect(readFileSync(output, 'utf8')).toBe('before');
  });
});

describe('the same root folder', () => {
  it('is the same image, whatever its times, umask, order and place', async () => {
    const make = (name: string, order: readonly string[], umask: number): string => {
      const before = process.umask(umask);
      mkdirSync(place.path(name));
      for (const file of order) {
        mkdirSync(place.path(name, 'folder'), { recursive: true });
        writeFileSync(place.path(name, file), file.split('/').at(-1) ?? '');
      }
      writeFileSync(place.path(name, 'app'), elf(), { mode: 0o777 });
      symlinkSync('app', place.path(name, 'link'));
      process.umask(before);
      return place.path(name);
    };
    const first = await place.build({ rootfs: make('first', ['a', 'b', 'folder/c'], 0o022), ...APP });
    const firstBytes = readFileSync(first.path);
    const second = make('elsewhere', ['folder/c', 'b', 'a'], 0o077);
    utimesSync(place.path('elsewhere/a'), 1, 1);
    const built = await place.build({ output: place.path('other.eif'), rootfs: second, ...APP });
    expect(readFileSync(built.path).equals(firstBytes)).toBe(true);
  });

  it('is another image when a file may be executed that could not before', async () => {
    place.file('root/tool', 'tool');
    const first = await place.build({ rootfs: place.path('root'), ...APP });
    chmodSync(place.path('root/tool'), 0o755);
    const second = await place.build({ rootfs: place.path('root'), ...APP });
    expect(second.pcrs.PCR2).not.toBe(first.pcrs.PCR2);
  });
});
