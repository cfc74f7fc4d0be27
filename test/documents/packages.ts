// Amazon Linux's packages of nitro-cli, for the genuine dnf: built here by rpmbuild, into a repository of files. What they install
// are stand-ins; the names, the places, the group and the unit are those of AWS's packages.
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { elf, kernel } from '../../packages/eif/test/build/workplace.ts';
import { outputOf } from './output-of.ts';
import { fileOfDocuments } from './tree-copy.ts';

/** What the scripts of packages run, in a root that has nothing else. */
const SYSTEM_PROGRAMS = ['/bin/sh', '/usr/bin/getent', '/usr/sbin/groupadd'];

/** nitro-cli's allocator.yaml, as its package installs it. */
const ALLOCATOR = '---\nmemory_mib: 512\ncpu_count: 2\n';

/** An entry of the allow-list that nitro-cli's package installs for its proxy. */
const PROXY_ALLOWLIST = 'allowlist:\n- {address: kms.eu-west-1.amazonaws.com, port: 443}\n';

/** The architecture of this machine, as images name it. */
export const CPU = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** The blobs of nitro-cli: the emulator boots no kernel, but images are made of one. */
export function writeBlobs(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, CPU === 'aarch64' ? 'Image' : 'bzImage'), kernel(CPU));
  for (const name of ['init', 'nsm.ko']) writeFileSync(join(folder, name), elf(CPU));
  writeFileSync(join(folder, 'cmdline'), 'reboot=k panic=30 pci=off nomodules console=ttyS0 random.trust_cpu=on\n');
}

/** Puts everything that the packages install into `contents`. */
function writeContents(contents: string): void {
  const place = (path: string): string => {
    mkdirSync(join(contents, dirname(path)), { recursive: true });
    return join(contents, path);
  };
  for (const program of ['nitro-cli', 'nitro-enclaves-allocator']) {
    copyFileSync(fileOfDocuments(`packages/${program}`), place(`/usr/bin/${program}`));
    chmodSync(place(`/usr/bin/${program}`), 0o755);
  }
  const unit = 'nitro-enclaves-allocator.service';
  copyFileSync(fileOfDocuments(`packages/${unit}`), place(`/usr/lib/systemd/system/${unit}`));
  writeFileSync(place('/etc/nitro_enclaves/allocator.yaml'), ALLOCATOR);
  writeFileSync(place('/etc/nitro_enclaves/vsock-proxy.yaml'), PROXY_ALLOWLIST);
  writeBlobs(join(contents, '/usr/share/nitro_enclaves/blobs'));
}

/** Copies the programs of the system with their libraries into `contents`, and gives the paths of all. */
function copySystem(contents: string): string[] {
  const libraries = SYSTEM_PROGRAMS.flatMap((program) => outputOf('ldd', [program]).match(/\/\S+/g) ?? []);
  const paths = [...new Set([...SYSTEM_PROGRAMS, ...libraries])];
  outputOf('cp', ['--parents', '-L', ...paths, contents]);
  return paths;
}

/** Builds the packages below `folder`, and gives the folder that is their repository. */
export function buildPackages(folder: string): string {
  const contents = join(folder, 'contents');
  const repository = join(folder, 'repository');
  writeContents(contents);
  writeFileSync(join(folder, 'system-files'), copySystem(contents).join('\n'));
  const definitions = {
    _topdir: folder,
    _rpmdir: repository,
    _dbpath: join(folder, 'database'),
    contents,
    system_files: join(folder, 'system-files'),
  };
  const defined = Object.entries(definitions).flatMap(([name, value]) => ['--define', `${name} ${value}`]);
  outputOf('rpmbuild', ['-bb', ...defined, fileOfDocuments('packages/nitro-enclaves-cli.spec')]);
  outputOf('createrepo_c', ['--quiet', repository]);
  return repository;
}
