import type { ImagePcrs } from '../digests.ts';
import type { EifArchitecture } from '../format/header.ts';
import type { SignEifOptions } from '../node/sign-eif.ts';
import { localSigner } from '../node/sign-eif.ts';
import { EifWriter } from '../node/writer.ts';
import { pcr8FromCertificate } from '../pcr/pcr.ts';
import type { EifPcrs } from '../read/read-eif.ts';
import { createSignature } from '../sign/create-signature.ts';
import type { BootFiles, BootOptions } from './boot/blobs.ts';
import { readBootFiles } from './boot/blobs.ts';
import { agreeOnArchitecture, kernelArchitecture, kernelIdentity } from './boot/kernel.ts';
import type { MetadataOptions } from './boot/metadata.ts';
import { encodeMetadata } from './boot/metadata.ts';
import type { Command, ImageCommand } from './command/image-command.ts';
import { joinCommand } from './command/image-command.ts';
import type { UserIds } from './command/user.ts';
import { resolveUser } from './command/user.ts';
import { failBuild } from './error.ts';
import { archiveOf } from './ramdisk/archive.ts';
import type { InitOptions } from './ramdisk/own-init.ts';
import { makeRamdisks } from './ramdisk/ramdisks.ts';
import { completeRootfs } from './ramdisk/rootfs.ts';
import type { BuildWarning, SourceOptions } from './source.ts';
import { OpenSource } from './source.ts';
import type { FolderNode, TreeNode } from './tree/node.ts';
import { entriesOf } from './tree/walk.ts';

/** What {@link buildEif} builds from, and how. */
export interface BuildEifOptions extends SourceOptions, BootOptions, MetadataOptions, InitOptions, ImageCommand {
  /** Path of the image to write; it appears whole, or not at all. */
  readonly output: string;
  /** Signs the image, as `signEif` would. */
  readonly sign?: Pick<SignEifOptions, 'certificate' | 'key' | 'at'>;
  /** Called with the bytes of files written so far, and of all files. */
  readonly onProgress?: (progress: BuildProgress) => void;
}

/** How far a build is. */
export interface BuildProgress {
  readonly writtenBytes: number;
  readonly totalBytes: number;
}

/** An image that was built. */
export interface BuiltEif {
  readonly path: string;
  /** Length of the file, in bytes. */
  readonly byteLength: number;
  readonly crc32: number;
  readonly architecture: EifArchitecture;
  /** With PCR8 when the image is signed. */
  readonly pcrs: EifPcrs;
  readonly warnings: readonly BuildWarning[];
}

function warnings(boot: BootFiles, command: Command, user: UserIds): BuildWarning[] {
  const found: BuildWarning[] = [];
  if (kernelArchitecture(boot.kernel) === undefined) {
    found.push({ code: 'KERNEL_UNKNOWN', message: 'the kernel is neither a bzImage nor an Image' });
  }
  if (boot.init === undefined) return found;
  if (user.uid !== 0) found.push({ code: 'USER_IGNORED', message: 'the given init runs the program as root' });
  if (command.workingDirectory !== '/') {
    found.push({ code: 'WORKING_DIRECTORY_IGNORED', message: 'the given init runs the program in /' });
  }
  return found;
}

function checkInitOptions({ init = 'own', heartbeat, exitStatusPort: port }: BuildEifOptions): void {
  const isOwn = init === 'own';
  if (!isOwn && (heartbeat === false || port !== undefined)) {
    failBuild(
      'BUILD_OPTION',
      'expected heartbeat and exitStatusPort for our own init only: a given one does not know them',
    );
  }
  if (port === undefined || (Number.isInteger(port) && port >= 1 && port < 0xffff_ffff)) return;
  failBuild('BUILD_OPTION', `expected exitStatusPort to be a vsock port (1 to 2^32 - 2), found ${port}`);
}

async function signatureOf(
  { sign, signal }: BuildEifOptions,
  pcrs: ImagePcrs,
): Promise<{ section: Uint8Array; pcrs: Pick<EifPcrs, 'PCR8'> } | undefined> {
  if (sign === undefined) return undefined;
  const { certificate, key, at } = sign;
  const section = await createSignature(pcrs, {
    certificate,
    signer: typeof key === 'function' ? key : localSigner(key),
    ...(at === undefined ? {} : { at }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { section, pcrs: { PCR8: pcr8FromCertificate(certificate) } };
}

function* counted(pieces: Iterable<Uint8Array>, count: (bytes: number) => void): Generator<Uint8Array> {
  for (const piece of pieces) {
    yield piece;
    count(piece.length);
  }
}

/** Length of all files' contents; a file with several names counts once. */
function contentBytes(root: FolderNode): number {
  const files = new Map<TreeNode, number>();
  for (const [, node] of entriesOf(root)) if (node.kind === 'file') files.set(node, node.size);
  return [...files.values()].reduce((total, size) => total + size, 0);
}

/**
 * Builds an enclave image, without a container engine. The same input always gives the same bytes: on any machine, at any
 * time. Nothing is left at `output` unless all went well.
 * @throws {EifBuildError} with the code of what is wrong with the input; the system's own errors when files cannot be
 * read or written.
 */
export async function buildEif(options: BuildEifOptions): Promise<BuiltEif> {
  checkInitOptions(options);
  using open = new OpenSource(options.output, options.signal);
  const source = await open.read(options);
  const boot = readBootFiles(options, options.architecture ?? source.architecture);
  const architecture = agreeOnArchitecture(boot.kernel, options.architecture ?? source.architecture);
  completeRootfs(source.rootfs);
  const command = joinCommand(source.command, options);
  const user = resolveUser(source.rootfs, command.user);
  const ramdisks = makeRamdisks({ rootfs: source.rootfs, boot, command, user, architecture }, options);
  const metadata = encodeMetadata(options, source.identity, kernelIdentity(boot.kernel, boot.kernelConfig));

  const totalBytes = contentBytes(ramdisks.app);
  let writtenBytes = 0;
  const count = (bytes: number): void => {
    writtenBytes = Math.min(writtenBytes + bytes, totalBytes);
    options.onProgress?.({ writtenBytes, totalBytes });
  };
  await using writer = await EifWriter.create(options.output, {
    architecture,
    expectedAppBytes: totalBytes,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  await writer.section('kernel', boot.kernel);
  await writer.section('cmdline', Buffer.from(boot.cmdline));
  await writer.section('metadata', metadata);
  await writer.section('ramdisk', archiveOf(ramdisks.boot));
  await writer.section('ramdisk', counted(archiveOf(ramdisks.app), count));
  const signature = await signatureOf(options, await writer.pcrs());
  if (signature !== undefined) await writer.section('signature', signature.section);
  const { byteLength, crc32, pcrs } = await writer.finish();
  return {
    path: options.output,
    byteLength,
    crc32,
    architecture,
    pcrs: { ...pcrs, ...signature?.pcrs },
    warnings: [...source.warnings, ...warnings(boot, command, user)],
  };
}
