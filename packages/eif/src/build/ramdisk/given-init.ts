import type { KernelModule } from '../boot/blobs.ts';
import type { Command } from '../command/image-command.ts';
import { failBuild } from '../error.ts';
import type { ByteString } from '../tree/byte-path.ts';
import { toByteString } from '../tree/byte-path.ts';
import type { FolderNode } from '../tree/node.ts';
import { emptyFolder, fileOf } from '../tree/node.ts';

/** Where AWS's init looks for a name without a slash: it starts the program with its own PATH, not the image's. */
export const GIVEN_INIT_PATH = '/sbin:/usr/sbin:/bin:/usr/bin';
/** What AWS's init mounts over. */
export const GIVEN_INIT_MOUNTS: readonly string[] = ['/dev', '/proc', '/sys', '/tmp', '/run'];

/** The first ramdisk, as nitro-cli lays it out. */
export function givenBootRamdisk(init: Buffer, modules: readonly KernelModule[]): FolderNode {
  const root = emptyFolder();
  root.children.set('dev', emptyFolder());
  root.children.set('init', fileOf(init, 0o755));
  for (const { name, bytes } of modules) root.children.set(toByteString(name), fileOf(bytes, 0o755));
  return root;
}

/** One item a line. AWS's init knows no way to say a line break inside of one. */
function lines(items: readonly ByteString[], what: string): Uint8Array {
  if (items.some((item) => item.includes('\n'))) {
    failBuild('BUILD_COMMAND_TEXT', `expected ${what} without line breaks, which this init cannot take`);
  }
  return Buffer.from(items.map((item) => `${item}\n`).join(''), 'latin1');
}

/** The second ramdisk, as nitro-cli lays it out: `cmd`, `env` and the image's files. */
export function givenAppRamdisk(rootfs: FolderNode, command: Command): FolderNode {
  const root = emptyFolder();
  root.children.set('cmd', fileOf(lines(command.arguments, 'arguments')));
  root.children.set('env', fileOf(lines(command.environment, 'environment variables')));
  root.children.set('rootfs', rootfs);
  return root;
}
