import { readFile } from 'node:fs/promises';
import type { BuildEifOptions } from '@nitro-enclaves/eif';
import { buildEif } from '@nitro-enclaves/eif';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { pathOf } from '../output.ts';
import { withProgressBar } from '../progress-bar.ts';
import { collect } from '../repeatable.ts';
import { writePcrs } from './measure.ts';

interface BuildOptions {
  readonly output: string;
  readonly image?: string;
  readonly reference?: string;
  readonly rootfs?: string;
  readonly preserveAttributes?: boolean;
  readonly arch?: 'x86_64' | 'aarch64';
  readonly blobs?: string;
  readonly kernel?: string;
  readonly kernelConfig?: string;
  readonly cmdline?: string;
  readonly module?: readonly string[];
  readonly init: string;
  readonly env?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly heartbeat: boolean;
  readonly exitStatusPort?: number;
  readonly name?: string;
  readonly imageVersion?: string;
  readonly metadata?: string;
  readonly buildTime?: string;
  readonly signingCertificate?: string;
  readonly privateKey?: string;
  readonly json?: boolean;
}

/** The options without those that were not given. */
type Given<T> = { -readonly [K in keyof T]?: Exclude<T[K], undefined> };

function given<T extends object>(options: T): Given<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<T>;
}

function port(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a vsock port.');
}

function initOf(context: CommandContext, init: string): BuildEifOptions['init'] {
  return init === 'own' || init === 'blobs' ? init : { path: pathOf(context, init) };
}

/** The build time: the flag's, or SOURCE_DATE_EPOCH's; the library refuses what is no date. */
function buildTimeOf({ env }: CommandContext, text: string | undefined): Date | undefined {
  if (text !== undefined) return new Date(text);
  const epoch = env['SOURCE_DATE_EPOCH'];
  return epoch === undefined ? undefined : new Date(/^\d+$/.test(epoch) ? Number(epoch) * 1000 : Number.NaN);
}

/** Ends the command with a sentence about its options. */
type Refuse = (message: string) => never;

async function metadataOf(context: CommandContext, path: string | undefined, refuse: Refuse): Promise<unknown> {
  if (path === undefined) return undefined;
  try {
    return JSON.parse(await readFile(pathOf(context, path), 'utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return refuse(`error: --metadata: expected JSON in ${path}`);
  }
}

async function signOf(
  context: CommandContext,
  options: BuildOptions,
  refuse: Refuse,
): Promise<BuildEifOptions['sign']> {
  const { signingCertificate, privateKey } = options;
  if (signingCertificate === undefined && privateKey === undefined) return undefined;
  if (signingCertificate === undefined || privateKey === undefined) {
    return refuse('error: expected --signing-certificate and --private-key together');
  }
  return {
    certificate: await readFile(pathOf(context, signingCertificate)),
    key: await readFile(pathOf(context, privateKey), 'utf8'),
  };
}

async function toBuildOptions(
  context: CommandContext,
  command: readonly string[],
  options: BuildOptions,
  refuse: Refuse,
): Promise<BuildEifOptions> {
  const path = (name: string | undefined): string | undefined =>
    name === undefined ? undefined : pathOf(context, name);
  return {
    output: pathOf(context, options.output),
    heartbeat: options.heartbeat,
    init: initOf(context, options.init) ?? 'own',
    signal: context.signal,
    ...given({
      image: path(options.image),
      reference: options.reference,
      rootfs: path(options.rootfs),
      preserveAttributes: options.preserveAttributes,
      architecture: options.arch,
      blobs: path(options.blobs ?? context.env['NITRO_CLI_BLOBS']),
      kernel: path(options.kernel),
      kernelConfig: path(options.kernelConfig),
      cmdline: options.cmdline,
      modules: options.module?.map((one) => pathOf(context, one)),
      entrypoint: command.length === 0 ? undefined : command,
      env: options.env,
      workingDirectory: options.workdir,
      user: options.user,
      exitStatusPort: options.exitStatusPort,
      name: options.name,
      version: options.imageVersion,
      metadata: await metadataOf(context, options.metadata, refuse),
      buildTime: buildTimeOf(context, options.buildTime),
      sign: await signOf(context, options, refuse),
    }),
  };
}

/** Adds `eif build`. */
export function addBuild(eif: Command, context: CommandContext): void {
  eif
    .command('build')
    .description('build an image from a container image or a root file system, and print its PCRs')
    .argument('[command...]', "the program and its arguments, after --: in the place of the image's")
    .requiredOption('--output <file>', 'where the image goes')
    .option('--image <path>', 'an OCI image layout (folder or tar), or a tar of docker save')
    .option('--reference <name>', 'which of several images: name:tag or manifest digest')
    .option('--rootfs <path>', 'a folder with a root file system, or a tar of docker export')
    .option('--preserve-attributes', 'keep the owners and permissions of the --rootfs folder as they are on disk')
    .addOption(new Option('--arch <cpu>', "the image's CPU (default: the source's)").choices(['x86_64', 'aarch64']))
    .option('--blobs <folder>', "kernel, cmdline, nsm.ko and init in nitro-cli's layout (default: $NITRO_CLI_BLOBS)")
    .option('--kernel <file>', 'the kernel: bzImage, or Image for aarch64')
    .option('--kernel-config <file>', "the kernel's .config, which names it in the metadata")
    .option('--cmdline <text>', "the kernel's command line")
    .option('--module <file>', 'a kernel module to load; again for the next, in order', collect)
    .option('--init <own|blobs|file>', 'process 1: our own, that of the blobs, or a program', 'own')
    .option('--env <name=value>', "a variable beside the image's; again for the next", collect)
    .option('--workdir <path>', "the working directory (default: the image's)")
    .option('--user <user[:group]>', "who runs the program (default: the image's)")
    .option('--no-heartbeat', 'do not tell the launcher that the enclave has booted (parent port 9000)')
    .option('--exit-status-port <port>', "the parent's port that the program's exit status is sent to", port)
    .option('--name <name>', "the image's name in the metadata")
    .option('--image-version <version>', "the image's version in the metadata")
    .option('--metadata <file>', 'JSON to add to the metadata, at most 4096 bytes')
    .option('--build-time <rfc3339>', 'the build time in the metadata (default: $SOURCE_DATE_EPOCH, or 1970)')
    .option('--signing-certificate <file>', 'sign the image: the certificate to embed, PEM')
    .option('--private-key <file>', 'its private key, PEM')
    .option('--json', 'print the JSON of nitro-cli build-enclave')
    .action(async (program: readonly string[], options: BuildOptions, command: Command) => {
      const buildOptions = await toBuildOptions(context, program, options, (message) => command.error(message));
      const built = await withProgressBar(context, 'building', (update) =>
        buildEif({
          ...buildOptions,
          onProgress: ({ writtenBytes, totalBytes }) => update({ done: writtenBytes, total: totalBytes }),
        }),
      );
      for (const { message, code } of built.warnings) context.stderr.write(`warning: ${message} (${code})\n`);
      writePcrs(context, built.pcrs, options.json ?? false);
    });
}
