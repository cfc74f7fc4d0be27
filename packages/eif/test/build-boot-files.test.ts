import { readFileSync } from 'node:fs';
import { extractEif, readEif } from '@nitro-enclaves/eif';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { elf, kernel, Workplace } from './build/workplace.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.file('root/sbin/app', elf(), 0o755);
});
afterEach(() => place.remove());

const CONFIG =
  '#\n# Automatically generated file; DO NOT EDIT.\n# Linux/x86_64 4.14.256-209.484.amzn2 Kernel Configuration\n#\n';

function writeBlobs(): string {
  place.file('blobs/bzImage', kernel());
  place.file('blobs/bzImage.config', CONFIG);
  place.file('blobs/cmdline', 'reboot=k panic=30 console=ttyS0\n');
  place.file('blobs/init', elf());
  place.file('blobs/nsm.ko', elf());
  place.file('blobs/linuxkit', '');
  return place.path('blobs');
}

function build(options: Parameters<Workplace['build']>[0]): ReturnType<Workplace['build']> {
  return place.build({ rootfs: place.path('root'), entrypoint: ['app'], ...options });
}

/** Builds with nothing but the blobs. */
function buildFromBlobs(options: Parameters<Workplace['build']>[0] = {}): ReturnType<Workplace['build']> {
  const { kernel: _kernel, cmdline: _cmdline, ...rest } = options;
  return import('@nitro-enclaves/eif').then(({ buildEif }) =>
    buildEif({
      output: place.path('out.eif'),
      rootfs: place.path('root'),
      entrypoint: ['app'],
      blobs: place.path('blobs'),
      ...rest,
    }),
  );
}

describe('a blobs folder laid out as nitro-cli lays it out', () => {
  it('gives kernel, command line, identity and module', async () => {
    writeBlobs();
    const { path } = await buildFromBlobs();
    const { eif, folder } = await extractEif(path, place.path('extracted'));
    expect(eif.cmdline).toBe('reboot=k panic=30 console=ttyS0');
    expect(eif.metadata).toMatchObject({ operatingSystem: 'Linux', kernelVersion: '4.14.256' });
    expect(readFileSync(`${folder}/initramfs/modules/nsm.ko`).equals(elf())).toBe(true);
  });

  it('gives its init, with the ramdisks that it expects', async () => {
    writeBlobs();
    const { path, warnings } = await buildFromBlobs({ init: 'blobs', env: ['A=1'], cmd: ['x y', 'z'] });
    const { folder } = await extractEif(path, place.path('extracted'));
    const text = (name: string): string => readFileSync(`${folder}/initramfs/${name}`, 'utf8');
    expect(text('cmd')).toBe('app\nx y\nz\n');
    expect(text('env')).toBe('A=1\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n');
    expect(readFileSync(`${folder}/initramfs/init`).equals(elf())).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('puts the module and the init first, at the top, as nitro-cli does', async () => {
    writeBlobs();
    const entries = await place.buildAndList({
      rootfs: place.path('root'),
      entrypoint: ['app'],
      blobs: place.path('blobs'),
      init: 'blobs',
    });
    const first = [...entries.values()].filter(({ ramdisk }) => ramdisk === 0);
    expect(first.map(({ path, mode }) => [path, mode])).toEqual([
      ['dev', 0o755],
      ['init', 0o755],
      ['nsm.ko', 0o755],
    ]);
    expect(entries.get('rootfs/run')?.mode).toBe(0o755);
  });

  it('says what a given init does not do', async () => {
    writeBlobs();
    const { warnings } = await buildFromBlobs({ init: 'blobs', user: '33', workingDirectory: '/srv' });
    expect(warnings.map(({ code }) => code)).toEqual(['USER_IGNORED', 'WORKING_DIRECTORY_IGNORED']);
  });

  it("checks the entry point by the given init's own PATH", async () => {
    writeBlobs();
    place.file('root/usr/local/bin/tool', elf(), 0o755);
    await buildFromBlobs({ entrypoint: ['tool'] });
    await expect(buildFromBlobs({ entrypoint: ['tool'], init: 'blobs' })).rejects.toMatchObject({
      code: 'BUILD_ENTRYPOINT_MISSING',
    });
  });

  it('takes no line breaks for a given init', async () => {
    writeBlobs();
    for (const options of [{ cmd: ['a\nb'] }, { env: ['A=a\nb'] }]) {
      await expect(buildFromBlobs({ init: 'blobs', ...options })).rejects.toMatchObject({ code: 'BUILD_COMMAND_TEXT' });
    }
  });

  it('refuses for a given init what only our own does', async () => {
    writeBlobs();
    for (const options of [{ heartbeat: false }, { exitStatusPort: 9001 }]) {
      await expect(buildFromBlobs({ init: 'blobs', ...options })).rejects.toMatchObject({ code: 'BUILD_OPTION' });
    }
  });

  it('takes an init from elsewhere', async () => {
    writeBlobs();
    const init = place.file('other-init', '\x7fELFother');
    const { path } = await buildFromBlobs({ init: { path: init } });
    const { folder } = await extractEif(path, place.path('extracted'));
    expect(readFileSync(`${folder}/initramfs/init`, 'latin1')).toBe('\x7fELFother');
  });

  it('gives way to single files', async () => {
    writeBlobs();
    const { path } = await build({ blobs: place.path('blobs'), modules: [], cmdline: ' quiet ' });
    const eif = await readEif(path);
    expect(eif.cmdline).toBe('quiet');
    expect(eif.metadata?.kernelVersion).toBe('6.6.79-test');
  });
});

describe('boot files are refused', () => {
  it('without a kernel, a command line or an init', async () => {
    place.file('blobs/other', '');
    await expect(buildFromBlobs()).rejects.toMatchObject({ code: 'BUILD_KERNEL' });
    place.file('blobs/bzImage', kernel());
    await expect(buildFromBlobs()).rejects.toMatchObject({ code: 'BUILD_CMDLINE' });
    place.file('blobs/cmdline', 'quiet');
    await expect(buildFromBlobs({ init: 'blobs' })).rejects.toMatchObject({ code: 'BUILD_INIT' });
    await expect(build({ kernel: place.file('empty', '') })).rejects.toMatchObject({ code: 'BUILD_KERNEL' });
    await expect(build({ kernel: place.path('nowhere') })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('when the kernel is for another CPU', async () => {
    await expect(build({ architecture: 'aarch64' })).rejects.toMatchObject({ code: 'BUILD_KERNEL' });
    await expect(
      build({ kernel: place.file('Image', kernel('aarch64')), architecture: 'x86_64' }),
    ).rejects.toMatchObject({
      code: 'BUILD_KERNEL',
    });
  });

  it('when nobody says which CPU an unknown kernel is for', async () => {
    const unknown = place.file('unknown', 'a kernel of another kind');
    await expect(build({ kernel: unknown })).rejects.toMatchObject({ code: 'BUILD_KERNEL' });
    const { warnings } = await build({ kernel: unknown, architecture: 'x86_64' });
    expect(warnings).toMatchObject([{ code: 'KERNEL_UNKNOWN' }]);
  });

  it('when the command line is too long, or more than a line', async () => {
    for (const cmdline of ['x'.repeat(2048), 'a\nb', 'a\0b']) {
      await expect(build({ cmdline })).rejects.toMatchObject({ code: 'BUILD_CMDLINE' });
    }
    await build({ cmdline: 'x'.repeat(2047) });
  });

  it('when a module is compressed, or given twice', async () => {
    const compressed = place.file('nsm.ko.xz', Buffer.from('fd377a585a00', 'hex'));
    await expect(build({ modules: [compressed] })).rejects.toMatchObject({ code: 'BUILD_MODULE' });
    const modules = [place.file('a/nsm.ko', elf()), place.file('b/nsm.ko', elf())];
    await expect(build({ modules })).rejects.toMatchObject({ code: 'BUILD_MODULE' });
  });

  it('when the kernel configuration does not say whose it is', async () => {
    await expect(build({ kernelConfig: place.file('config', 'CONFIG_X=y\n') })).rejects.toMatchObject({
      code: 'BUILD_KERNEL',
    });
  });
});

describe('the metadata', () => {
  it('hold name, version, time and what was given', async () => {
    const { path } = await build({
      name: 'payments',
      version: '2.1',
      buildTime: new Date('2024-01-02T03:04:05Z'),
      metadata: { team: 'é', list: [1, null] },
    });
    expect((await readEif(path)).metadata).toMatchObject({
      imageName: 'payments',
      imageVersion: '2.1',
      buildTime: '2024-01-02T03:04:05+00:00',
      buildTool: 'nitro-enclaves',
      dockerInfo: null,
      customMetadata: { team: 'é', list: [1, null] },
    });
  });

  it('take the time from SOURCE_DATE_EPOCH, and never from the clock', async () => {
    const before = process.env['SOURCE_DATE_EPOCH'];
    try {
      process.env['SOURCE_DATE_EPOCH'] = '1700000000';
      expect((await readEif((await build({})).path)).metadata?.buildTime).toBe('2023-11-14T22:13:20+00:00');
      process.env['SOURCE_DATE_EPOCH'] = 'yesterday';
      await expect(build({})).rejects.toMatchObject({ code: 'BUILD_METADATA' });
      delete process.env['SOURCE_DATE_EPOCH'];
      expect((await readEif((await build({})).path)).metadata?.buildTime).toBe('1970-01-01T00:00:00+00:00');
    } finally {
      if (before === undefined) delete process.env['SOURCE_DATE_EPOCH'];
      else process.env['SOURCE_DATE_EPOCH'] = before;
    }
  });

  it('do not change a PCR', async () => {
    const first = await build({ buildTime: new Date(0) });
    const second = await build({ buildTime: new Date(1e12), name: 'other' });
    expect(second.pcrs).toEqual(first.pcrs);
    expect(second.crc32).not.toBe(first.crc32);
  });

  it('are refused when they are too large, or JSON cannot say them', async () => {
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    await expect(build({ metadata: 'x'.repeat(4096) })).rejects.toMatchObject({ code: 'BUILD_METADATA' });
    await expect(build({ metadata: () => 1 })).rejects.toMatchObject({ code: 'BUILD_METADATA' });
    await expect(build({ metadata: cyclic })).rejects.toMatchObject({ code: 'BUILD_METADATA' });
    await expect(build({ buildTime: new Date(Number.NaN) })).rejects.toMatchObject({ code: 'BUILD_METADATA' });
    await build({ metadata: 'x'.repeat(4094) });
  });
});
