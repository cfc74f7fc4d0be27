import type { EifArchitecture } from '../../format/header.ts';
import type { BootFiles } from '../boot/blobs.ts';
import { findEntryPoint } from '../command/entry-point.ts';
import type { Command } from '../command/image-command.ts';
import { variable } from '../command/image-command.ts';
import type { UserIds } from '../command/user.ts';
import type { FolderNode } from '../tree/node.ts';
import { GIVEN_INIT_MOUNTS, GIVEN_INIT_PATH, givenAppRamdisk, givenBootRamdisk } from './given-init.ts';
import type { InitOptions } from './own-init.ts';
import { appRamdisk, bootRamdisk, mountedFolders } from './own-init.ts';
import { ensureWorkingDirectory } from './rootfs.ts';

/** What the ramdisks are made of. */
export interface RamdiskParts {
  /** Gets a working directory where it lacks one. */
  readonly rootfs: FolderNode;
  readonly boot: BootFiles;
  readonly command: Command;
  readonly user: UserIds;
  readonly architecture: EifArchitecture;
}

/** The two ramdisks of an image. */
export interface Ramdisks {
  /** Counts into PCR1. */
  readonly boot: FolderNode;
  /** Counts into PCR2. */
  readonly app: FolderNode;
}

const ROOT_USER: UserIds = { uid: 0, gid: 0, groups: [], home: '/' };

function withHome(command: Command, { home }: UserIds): Command {
  if (variable(command.environment, 'HOME') !== undefined) return command;
  return { ...command, environment: [...command.environment, `HOME=${home}`] };
}

function forOwnInit({ rootfs, boot, command, user, architecture }: RamdiskParts, options: InitOptions): Ramdisks {
  ensureWorkingDirectory(rootfs, command.workingDirectory);
  const path = findEntryPoint(command.arguments[0] ?? '', {
    root: rootfs,
    architecture,
    user,
    workingDirectory: command.workingDirectory,
    searchPath: variable(command.environment, 'PATH') ?? '',
    mounted: mountedFolders(rootfs),
  });
  const program = { ...withHome(command, user), path, user };
  return { boot: bootRamdisk(architecture, boot.modules), app: appRamdisk(rootfs, program, options) };
}

function forGivenInit(init: Buffer, { rootfs, boot, command, architecture }: RamdiskParts): Ramdisks {
  findEntryPoint(command.arguments[0] ?? '', {
    root: rootfs,
    architecture,
    user: ROOT_USER,
    workingDirectory: '/',
    searchPath: GIVEN_INIT_PATH,
    mounted: GIVEN_INIT_MOUNTS,
  });
  return { boot: givenBootRamdisk(init, boot.modules), app: givenAppRamdisk(rootfs, command) };
}

/**
 * Lays out both ramdisks, for our own init or for the given one, once the program is known to be one that can start.
 * @throws {EifBuildError} `BUILD_ENTRYPOINT_…`, `BUILD_INTERPRETER_…`, `BUILD_WORKING_DIRECTORY` or `BUILD_COMMAND_TEXT`.
 */
export function makeRamdisks(parts: RamdiskParts, options: InitOptions): Ramdisks {
  const { init } = parts.boot;
  return init === undefined ? forOwnInit(parts, options) : forGivenInit(init, parts);
}
