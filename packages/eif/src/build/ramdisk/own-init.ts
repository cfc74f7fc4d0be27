import { readFileSync } from 'node:fs';
import type { EifArchitecture } from '../../format/header.ts';
import type { KernelModule } from '../boot/blobs.ts';
import type { UserIds } from '../command/user.ts';
import type { ByteString } from '../tree/byte-path.ts';
import { toByteString } from '../tree/byte-path.ts';
import type { FolderNode, TreeNode } from '../tree/node.ts';
import { emptyFolder, fileOf } from '../tree/node.ts';
import { encodeRecords } from './records.ts';

/** What our own init does beside running the program. */
export interface InitOptions {
  /** Whether the enclave tells its launcher that it has booted (0xB7 to the parent's port 9000). Default true. */
  readonly heartbeat?: boolean;
  /** Port of the parent that the program's exit status is sent to. Default none. */
  readonly exitStatusPort?: number;
}

/** The program, as the init starts it. */
export interface StartedProgram {
  /** Absolute path of the program. */
  readonly path: ByteString;
  readonly arguments: readonly ByteString[];
  readonly environment: readonly ByteString[];
  readonly workingDirectory: ByteString;
  readonly user: UserIds;
}

function prebuiltInit(architecture: EifArchitecture): Buffer {
  return readFileSync(new URL(`../../../init/prebuilt/init-${architecture}`, import.meta.url));
}

/** The first ramdisk: the init and the kernel's modules. It is the same for every program, and so is PCR1. */
export function bootRamdisk(architecture: EifArchitecture, modules: readonly KernelModule[]): FolderNode {
  const root = emptyFolder();
  const names = modules.map(({ name }) => toByteString(name));
  root.children.set('dev', emptyFolder());
  root.children.set('proc', emptyFolder());
  root.children.set('init', fileOf(prebuiltInit(architecture), 0o755));
  const records = names.map((name) => ['module', `/modules/${name}`] as const);
  root.children.set('boot.conf', fileOf(encodeRecords(records)));
  if (modules.length === 0) return root;
  const folder = emptyFolder();
  for (const { name, bytes } of modules) folder.children.set(toByteString(name), fileOf(bytes));
  root.children.set('modules', folder);
  return root;
}

function isEmptyFolder(node: TreeNode | undefined): boolean {
  return node?.kind === 'folder' && node.children.size === 0;
}

/** Folders that get a file system of their own: /tmp and /run too, unless the image has something there. */
export function mountedFolders(rootfs: FolderNode): string[] {
  const optional = ['tmp', 'run'].filter((name) => isEmptyFolder(rootfs.children.get(name)));
  return ['/dev', '/proc', '/sys', ...optional.map((name) => `/${name}`)];
}

/** The second ramdisk: the image's files, and what to start. */
export function appRamdisk(rootfs: FolderNode, program: StartedProgram, options: InitOptions): FolderNode {
  const { user } = program;
  const mounted = mountedFolders(rootfs);
  const records: (readonly [string, ByteString | number])[] = [
    ['exec', program.path],
    ...program.arguments.map((value) => ['arg', value] as const),
    ...program.environment.map((value) => ['env', value] as const),
    ['workdir', program.workingDirectory],
    ['uid', user.uid],
    ['gid', user.gid],
    ...user.groups.map((gid) => ['group', gid] as const),
    ['heartbeat', options.heartbeat === false ? 0 : 1],
    ...(options.exitStatusPort === undefined ? [] : [['exit-status-port', options.exitStatusPort] as const]),
    ...(mounted.includes('/tmp') ? [['tmpfs-1777', '/tmp'] as const] : []),
    ...(mounted.includes('/run') ? [['tmpfs-0755', '/run'] as const] : []),
  ];
  const root = emptyFolder();
  root.children.set('app.conf', fileOf(encodeRecords(records), 0o600));
  root.children.set('rootfs', rootfs);
  return root;
}
