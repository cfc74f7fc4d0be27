import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { extractEif, readEif } from '@nitro-enclaves/eif';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImageFiles, TestImage, TestLayer } from './build/image-writer.ts';
import {
  dockerSave,
  GZIP,
  nestedLayout,
  ociLayout,
  PLAIN,
  sha256,
  writeFolder,
  writeTar,
} from './build/image-writer.ts';
import type { TestTarEntry } from './build/tar-writer.ts';
import { tar } from './build/tar-writer.ts';
import { elf, kernel, Workplace } from './build/workplace.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place.remove());

const APP: TestTarEntry = { name: 'app', content: elf(), mode: 0o755 };
const LAYERS: readonly TestLayer[] = [{ entries: [APP] }, { entries: [{ name: 'etc/two', content: 'two' }] }];

/** Builds from an OCI layout in a folder. */
function build(files: ImageFiles, options: Parameters<Workplace['build']>[0] = {}): ReturnType<Workplace['build']> {
  rmSync(place.path('image'), { recursive: true, force: true });
  return place.build({ image: writeFolder(place.path('image'), files), ...options });
}

async function expectRefusal(
  files: ImageFiles,
  code: string,
  options: Parameters<Workplace['build']>[0] = {},
): Promise<void> {
  await expect(build(files, options)).rejects.toMatchObject({ code });
  expect(place.names()).toEqual(['bzImage', 'image']);
}

/** A zstd frame of one block that is stored as it is: enough for any decompressor. */
function storedZstd(plain: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < plain.length; at += 65_536) {
    const block = plain.subarray(at, at + 65_536);
    const header = Buffer.alloc(3);
    header.writeUIntLE((block.length << 3) | (at + 65_536 >= plain.length ? 1 : 0), 0, 3);
    blocks.push(header, block);
  }
  // Magic, descriptor (8-byte content size, single segment), content size.
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(plain.length));
  return Buffer.concat([Buffer.from('28b52ffde0', 'hex'), size, ...blocks]);
}

const hasZstd = spawnSync('zstd', ['--version'], { stdio: 'ignore' }).status === 0;
const ZSTD = { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', pack: storedZstd };

describe('buildEif from an image', () => {
  it('makes one image of every form that it may come in', async () => {
    const image: TestImage = { layers: LAYERS, name: 'shop/app:1.0' };
    const oci = ociLayout(image);
    const forms = [
      writeFolder(place.path('oci'), oci),
      writeTar(place.path('oci.tar'), oci),
      place.file('oci.tar.gz', gzipSync(readFileSync(place.path('oci.tar')))),
      place.file('oci.tar.zst', storedZstd(readFileSync(place.path('oci.tar')))),
      writeFolder(place.path('nested'), nestedLayout('shop/app:1.0', image)),
      writeFolder(place.path('save'), dockerSave(image)),
      writeTar(place.path('save.tar'), dockerSave(image)),
      place.file('save.tar.gz', gzipSync(readFileSync(place.path('save.tar')))),
    ];
    const files = [];
    for (const form of forms) files.push(readFileSync((await place.build({ image: form })).path));
    for (const file of files) expect(file.equals(files[0] ?? Buffer.alloc(0))).toBe(true);
  });

  it('takes layers of gzip, zstd and plain tar, under the names of the OCI and of Docker', async () => {
    const docker = (suffix: string, pack: (plain: Buffer) => Buffer) => ({
      mediaType: `application/vnd.docker.image.rootfs.diff.tar${suffix}`,
      pack,
    });
    const stores = [GZIP, PLAIN, ZSTD, docker('.gzip', GZIP.pack), docker('.zstd', storedZstd), docker('', PLAIN.pack)];
    const images = [];
    for (const store of stores) {
      const built = await build(ociLayout({ layers: LAYERS.map(({ entries }) => ({ entries, store })) }));
      images.push(built.pcrs.PCR2);
    }
    expect(new Set(images).size).toBe(1);
  });

  it.skipIf(!hasZstd)('takes layers that zstd has really compressed [needs the zstd command]', async () => {
    const large = [APP, { name: 'large', content: Buffer.alloc(3 << 20, 'abc') }];
    const plain = await build(ociLayout({ layers: [{ entries: large, store: PLAIN }] }));
    for (const flags of [['-1'], ['-19', '--long=25'], ['--no-check']]) {
      const pack = (bytes: Buffer): Buffer => execFileSync('zstd', ['-qc', ...flags], { input: bytes });
      const packed = await build(ociLayout({ layers: [{ entries: large, store: { ...ZSTD, pack } }] }));
      expect(packed.pcrs).toEqual(plain.pcrs);
    }
  });

  it('takes zstd layers of several frames, with frames in between that are to be skipped', async () => {
    const skipped = Buffer.from('502a4d18050000000102030405', 'hex');
    const pack = (bytes: Buffer): Buffer =>
      Buffer.concat([skipped, storedZstd(bytes.subarray(0, 700)), skipped, storedZstd(bytes.subarray(700)), skipped]);
    const plain = await build(ociLayout({ layers: LAYERS }));
    const frames = LAYERS.map(({ entries }) => ({ entries, store: { ...ZSTD, pack } }));
    expect((await build(ociLayout({ layers: frames }))).pcrs).toEqual(plain.pcrs);
  });

  it("takes the image's command, joined, its user and its working directory", async () => {
    const config = {
      Entrypoint: ['app', 'serve'],
      Cmd: ['--port', '80'],
      Env: ['PATH=/', 'NODE_ENV=production'],
      WorkingDir: '/srv',
      User: '1000:1001',
    };
    const { path } = await build(ociLayout({ layers: LAYERS, config }));
    const { folder } = await extractEif(path, place.path('extracted'));
    expect(readFileSync(`${folder}/initramfs/app.conf`, 'utf8').split('\0')).toEqual(
      expect.arrayContaining(['exec=/app', 'arg=app', 'arg=serve', 'arg=--port', 'arg=80', 'uid=1000', 'workdir=/srv']),
    );
  });

  it("lets what is given come before what the image says, and drops the image's CMD with its ENTRYPOINT", async () => {
    const config = { Entrypoint: ['/missing'], Cmd: ['old'], WorkingDir: '/old' };
    const options = { entrypoint: ['/app'], workingDirectory: '/new', env: ['B=2'] };
    const { path } = await build(ociLayout({ layers: LAYERS, config }), options);
    const { folder } = await extractEif(path, place.path('extracted'));
    const records = readFileSync(`${folder}/initramfs/app.conf`, 'utf8').split('\0');
    expect(records).toEqual(expect.arrayContaining(['exec=/app', 'workdir=/new', 'env=B=2']));
    expect(records).not.toContain('arg=old');
  });

  it('takes owners, modes and devices from the layers', async () => {
    const entries: TestTarEntry[] = [
      APP,
      { name: 'etc/secret', content: 's', mode: 0o4640, uid: 1000, gid: 2000 },
      { name: 'etc/node', type: '3', major: 10, minor: 261, mode: 0o600 },
      { name: 'etc/disk', type: '4', major: 8, minor: 1 },
      { name: 'etc/pipe', type: '6' },
    ];
    const image = writeFolder(place.path('image'), ociLayout({ layers: [{ entries }] }));
    const files = await place.buildAndList({ image });
    expect(files.get('rootfs/etc/secret')).toMatchObject({ mode: 0o4640, uid: 1000, gid: 2000 });
    expect(files.get('rootfs/etc/node')).toMatchObject({ type: 'character-device', device: { major: 10, minor: 261 } });
    expect(files.get('rootfs/etc/disk')).toMatchObject({ type: 'block-device', device: { major: 8, minor: 1 } });
    expect(files.get('rootfs/etc/pipe')?.type).toBe('fifo');
  });

  it('says in the metadata whose image it is, and never its environment', async () => {
    const { path } = await build(ociLayout({ layers: LAYERS, name: 'registry:5000/shop/app:1.0' }));
    const { metadata } = await readEif(path);
    expect(metadata?.imageName).toBe('registry:5000/shop/app');
    expect(metadata?.imageVersion).toMatch(/^[0-9a-f]{64}$/);
    expect(metadata?.dockerInfo).toMatchObject({ Architecture: 'amd64', Os: 'linux' });
    expect(JSON.stringify(metadata)).not.toContain('swordfish');
  });

  it("is for the image's CPU", async () => {
    writeFileSync(place.path('Image'), kernel('aarch64'));
    const layers = [{ entries: [{ ...APP, content: elf('aarch64') }] }];
    const files = ociLayout({ layers, architecture: 'arm64' });
    expect((await build(files, { kernel: place.path('Image') })).architecture).toBe('aarch64');
    await expect(build(files)).rejects.toMatchObject({ code: 'BUILD_KERNEL' });
    await expect(build(files, { architecture: 'x86_64' })).rejects.toMatchObject({ code: 'BUILD_PLATFORM' });
  });

  it('chooses among several by name, by digest and by CPU', async () => {
    const one: TestImage = { layers: LAYERS, name: 'one' };
    const two: TestImage = { layers: [{ entries: [APP] }], name: 'two' };
    const arm: TestImage = { layers: [{ entries: [{ ...APP, content: elf('aarch64') }] }], architecture: 'arm64' };
    const both = ociLayout(one, two);
    await expect(build(both)).rejects.toMatchObject({ code: 'BUILD_IMAGE_AMBIGUOUS' });
    const alone = await build(ociLayout(two));
    expect((await build(both, { reference: 'two' })).pcrs).toEqual(alone.pcrs);
    const index = JSON.parse(both.get('index.json')?.toString() ?? '') as { manifests: { digest: string }[] };
    expect((await build(both, { reference: index.manifests[1]?.digest ?? '' })).pcrs).toEqual(alone.pcrs);
    await expect(build(both, { reference: 'three' })).rejects.toMatchObject({ code: 'BUILD_PLATFORM' });
    const platforms = nestedLayout('app', two, arm);
    await expect(build(platforms)).rejects.toMatchObject({ code: 'BUILD_IMAGE_AMBIGUOUS' });
    expect((await build(platforms, { architecture: 'x86_64' })).pcrs).toEqual(alone.pcrs);
    const saved = dockerSave(one, two);
    await expect(build(saved)).rejects.toMatchObject({ code: 'BUILD_IMAGE_AMBIGUOUS' });
    expect((await build(saved, { reference: 'two' })).pcrs).toEqual(alone.pcrs);
    await expect(build(saved, { reference: 'three' })).rejects.toMatchObject({ code: 'BUILD_PLATFORM' });
  });

  it('passes over the attestations that builders put beside an image', async () => {
    const unknown: TestImage = { layers: [], os: 'unknown', architecture: 'unknown' };
    await build(nestedLayout('app', { layers: LAYERS }, unknown));
  });

  it('follows the links that old archives have in place of layers', async () => {
    const files = dockerSave({ layers: [{ entries: [APP] }] });
    const manifest = JSON.parse(files.get('manifest.json')?.toString() ?? '') as { Layers: string[] }[];
    const layer = manifest[0]?.Layers[0] ?? '';
    const plain = await build(files);
    manifest[0]?.Layers.splice(0, 1, 'other/layer.tar');
    files.set('manifest.json', Buffer.from(JSON.stringify(manifest)));
    const link = { name: 'other/layer.tar', type: '2', link: `../${layer}` };
    const linked = await place.build({ image: writeTar(place.path('image.tar'), files, [link]) });
    expect(linked.pcrs).toEqual(plain.pcrs);
  });
});

it('a layer may lack the zero blocks at its end, which some writers leave out: its digest says that it is whole', async () => {
  const whole = ociLayout({ layers: [{ entries: [APP], store: PLAIN }] });
  const plain = tar([APP]).subarray(0, -1024);
  const shorter = { mediaType: PLAIN.mediaType, pack: () => plain };
  const editConfig = (config: Record<string, unknown>): void => {
    config['rootfs'] = { type: 'layers', diff_ids: [`sha256:${sha256(plain)}`] };
  };
  const built = await build(ociLayout({ layers: [{ entries: [APP], store: shorter }], editConfig }));
  expect(built.pcrs).toEqual((await build(whole)).pcrs);
});

it('stops in the middle of a layer when it is told to, and leaves nothing behind', async () => {
  const entries = [APP, { name: 'large', content: Buffer.alloc(24 << 20, 'abc') }];
  for (const store of [PLAIN, GZIP, ZSTD]) {
    const stop = new AbortController();
    const building = build(ociLayout({ layers: [{ entries, store }] }), { signal: stop.signal });
    setImmediate(() => stop.abort(new Error('enough')));
    await expect(building).rejects.toThrow('enough');
    expect(place.names()).toEqual(['bzImage', 'image']);
  }
});

describe('an image is refused', () => {
  it('when it is neither of the two kinds', async () => {
    await expectRefusal(new Map([['readme', Buffer.from('hello')]]), 'BUILD_SOURCE');
    await expectRefusal(new Map([['index.json', Buffer.from('{"manifests":[]}')]]), 'BUILD_SOURCE');
    await expect(place.build({ image: place.file('text', 'hello') })).rejects.toMatchObject({ code: 'BUILD_TAR' });
    const cut = gzipSync(tar([APP])).subarray(0, 60);
    await expect(place.build({ image: place.file('cut.gz', cut) })).rejects.toMatchObject({ code: 'BUILD_SOURCE' });
  });

  it('when a layer is of an unknown kind', async () => {
    for (const mediaType of [
      'application/vnd.oci.image.layer.v1.tar+gzip+encrypted',
      'application/vnd.oci.image.layer.v1.tar+xz',
      'application/vnd.in-toto+json',
      '',
    ]) {
      await expectRefusal(
        ociLayout({ layers: [{ entries: [APP], store: { ...GZIP, mediaType } }] }),
        'BUILD_MEDIA_TYPE',
      );
    }
  });

  it('when manifest or configuration are of an unknown kind', async () => {
    const files = ociLayout({ layers: LAYERS });
    const index = files.get('index.json')?.toString() ?? '';
    files.set('index.json', Buffer.from(index.replace('manifest.v1+json', 'artifact.v1+json')));
    await expectRefusal(files, 'BUILD_MEDIA_TYPE');
    const editManifest = (manifest: Record<string, unknown>): void => {
      manifest['config'] = { ...(manifest['config'] as object), mediaType: 'application/vnd.oci.empty.v1+json' };
    };
    await expectRefusal(ociLayout({ layers: LAYERS, editManifest }), 'BUILD_MEDIA_TYPE');
  });

  it('when a blob is missing, has another length, or other bytes', async () => {
    const names = [...ociLayout({ layers: LAYERS }).keys()].filter((name) => name.startsWith('blobs/'));
    for (const name of names) {
      const missing = ociLayout({ layers: LAYERS });
      missing.delete(name);
      await expectRefusal(missing, 'BUILD_BLOB_MISSING');
      const longer = ociLayout({ layers: LAYERS });
      longer.set(name, Buffer.concat([longer.get(name) ?? Buffer.alloc(0), Buffer.of(0)]));
      await expectRefusal(longer, 'BUILD_DIGEST');
      const changed = ociLayout({ layers: LAYERS });
      const bytes = Buffer.from(changed.get(name) ?? '');
      bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1);
      changed.set(name, bytes);
      await expect(build(changed)).rejects.toMatchObject({ code: expect.stringMatching(/^BUILD_(DIGEST|LAYER)$/) });
    }
  });

  it('when a layer is not what its media type or its diff_id says', async () => {
    const mislabelled = { mediaType: GZIP.mediaType, pack: PLAIN.pack };
    await expectRefusal(ociLayout({ layers: [{ entries: [APP], store: mislabelled }] }), 'BUILD_LAYER');
    const cut = { mediaType: GZIP.mediaType, pack: (plain: Buffer) => gzipSync(plain).subarray(0, -12) };
    await expectRefusal(ociLayout({ layers: [{ entries: [APP], store: cut }] }), 'BUILD_LAYER');
    const cutZstd = { mediaType: ZSTD.mediaType, pack: (plain: Buffer) => storedZstd(plain).subarray(0, -12) };
    await expectRefusal(ociLayout({ layers: [{ entries: [APP], store: cutZstd }] }), 'BUILD_LAYER');
    const editConfig = (config: Record<string, unknown>): void => {
      config['rootfs'] = { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] };
    };
    for (const store of [GZIP, PLAIN, ZSTD]) {
      await expectRefusal(ociLayout({ layers: [{ entries: [APP], store }], editConfig }), 'BUILD_DIGEST');
    }
    await expectRefusal(dockerSave({ layers: [{ entries: [APP] }], editConfig }), 'BUILD_DIGEST');
  });

  it('when its JSON is not of the form', async () => {
    for (const index of ['', '[]', '{}', '{"manifests":{}}', '{"manifests":[1]}', '{"manifests":[{}]}', 'null']) {
      const files = ociLayout({ layers: LAYERS });
      files.set('index.json', Buffer.from(index));
      await expectRefusal(files, 'BUILD_MANIFEST');
    }
    for (const edit of [
      { rootfs: null },
      { rootfs: { diff_ids: 'x' } },
      { rootfs: { diff_ids: [] } },
      { os: 1 },
      { config: { Entrypoint: '/app' } },
      { config: { Env: [1] } },
      { config: [] },
    ]) {
      const editConfig = (config: Record<string, unknown>): unknown => Object.assign(config, edit);
      await expectRefusal(ociLayout({ layers: LAYERS, editConfig }), 'BUILD_MANIFEST');
    }
    for (const manifest of ['{}', '[[]]', '[{"Config":1}]', '[{"Config":"x"}]']) {
      const files = dockerSave({ layers: LAYERS });
      files.set('manifest.json', Buffer.from(manifest));
      await expect(build(files)).rejects.toMatchObject({
        code: expect.stringMatching(/^BUILD_(MANIFEST|BLOB_MISSING)$/),
      });
    }
  });

  it('when sizes are not sizes', async () => {
    for (const size of [-1, 1.5, '7', null, 2 ** 60]) {
      const editManifest = (manifest: Record<string, unknown>): void => {
        manifest['config'] = { ...(manifest['config'] as object), size };
      };
      await expectRefusal(ociLayout({ layers: LAYERS, editManifest }), 'BUILD_MANIFEST');
    }
  });

  it('when indexes go round in one another', async () => {
    const inner = Buffer.from(JSON.stringify({ manifests: [] }));
    let digest = `sha256:${sha256(inner)}`;
    const files = ociLayout();
    files.set(`blobs/sha256/${sha256(inner)}`, inner);
    let size = inner.length;
    for (let depth = 0; depth < 8; depth += 1) {
      const mediaType = 'application/vnd.oci.image.index.v1+json';
      const outer = Buffer.from(JSON.stringify({ manifests: [{ mediaType, digest, size }] }));
      digest = `sha256:${sha256(outer)}`;
      size = outer.length;
      files.set(`blobs/sha256/${sha256(outer)}`, outer);
      files.set('index.json', outer);
    }
    await expectRefusal(files, 'BUILD_MANIFEST');
  });

  it('when a digest tries to be a path', async () => {
    for (const digest of [
      'sha256:../../etc/passwd',
      'sha256:',
      'md5:0',
      `sha256:${'A'.repeat(64)}`,
      '../x',
      `sha256:${'0'.repeat(64)}:x`,
    ]) {
      const editManifest = (manifest: Record<string, unknown>): void => {
        manifest['config'] = { ...(manifest['config'] as object), digest };
      };
      await expectRefusal(ociLayout({ layers: LAYERS, editManifest }), 'BUILD_DIGEST');
    }
  });

  it('when a name in manifest.json leads out of the image', async () => {
    place.file('outside.json', '{}');
    const named = (name: string): ImageFiles =>
      new Map([['manifest.json', Buffer.from(JSON.stringify([{ Config: name, Layers: [] }]))]]);
    await expect(build(named('../outside.json'))).rejects.toMatchObject({ code: 'BUILD_PATH' });
    writeFolder(place.path('linked'), named('link.json'));
    symlinkSync(place.path('outside.json'), place.path('linked/link.json'));
    await expect(place.build({ image: place.path('linked') })).rejects.toMatchObject({ code: 'BUILD_PATH' });
    for (const link of ['/outside.json', '../outside.json', 'link.json']) {
      const image = writeTar(place.path('linked.tar'), named('link.json'), [{ name: 'link.json', type: '2', link }]);
      await expect(place.build({ image })).rejects.toMatchObject({ code: 'BUILD_PATH' });
    }
  });

  it('when it is for another system or CPU', async () => {
    await expectRefusal(ociLayout({ layers: LAYERS, os: 'windows' }), 'BUILD_PLATFORM');
    await expectRefusal(ociLayout({ layers: LAYERS, architecture: 's390x' }), 'BUILD_PLATFORM');
    await expectRefusal(dockerSave({ layers: LAYERS, architecture: 's390x' }), 'BUILD_PLATFORM');
  });
});
