import { readFileSync } from 'node:fs';
import { NitroEnclavesError } from '@nitro-enclaves/core';
import { Command, CommanderError } from 'commander';
import type { CommandContext } from './command-context.ts';
import type { ExitCode } from './exit-code.ts';
import { EXIT_CODE } from './exit-code.ts';
import { escapeControls } from './output.ts';

/** The version of this package: the folder above is its own both in the tree and installed. */
const { version }: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

const VERSION_FLAGS = ['-V', '--version'];

/** Adds one area's commands, such as `attestation verify`, to the program. */
export type RegisterCommands = (program: Command, context: CommandContext) => void;

/** An area: the command line's first word, and where its commands are. */
interface Area {
  readonly command: string;
  load(): Promise<RegisterCommands>;
}

/** Every area, in the order in which `--help` lists them. Only what is asked for is loaded: some are large. */
export const AREAS: readonly Area[] = [
  { command: 'attestation', load: async () => (await import('./attestation/commands.ts')).registerAttestation },
  { command: 'eif', load: async () => (await import('./eif/register.ts')).registerEif },
  { command: 'pcr', load: async () => (await import('./pcr/register.ts')).registerPcr },
  { command: 'kms-policy', load: async () => (await import('./kms-policy/register.ts')).registerKmsPolicy },
  { command: 'nsm', load: async () => (await import('./nsm/register.ts')).registerNsm },
  { command: 'doctor', load: async () => (await import('./doctor/register.ts')).registerDoctor },
  { command: 'emulator', load: async () => (await import('./emulator/register.ts')).registerEmulator },
  { command: 'proxy', load: async () => (await import('./proxy/register.ts')).registerProxy },
];

/** Classes of errors (their names) that mean another exit code than {@link EXIT_CODE.INTERNAL}. */
const EXIT_CODES: ReadonlyMap<string, ExitCode> = new Map([
  ['AttestationError', EXIT_CODE.BAD_EVIDENCE],
  ['PolicyError', EXIT_CODE.POLICY],
  ['PolicyConfigurationError', EXIT_CODE.USAGE],
  ['KmsPolicyError', EXIT_CODE.USAGE],
  ['KeyPolicyError', EXIT_CODE.USAGE],
  ['SimulationError', EXIT_CODE.USAGE],
  ['EmulatedKmsError', EXIT_CODE.USAGE],
  ['NsmError', EXIT_CODE.UNAVAILABLE],
  ['EmulatorError', EXIT_CODE.USAGE],
  ['ProxyError', EXIT_CODE.USAGE],
]);

/** Codes that mean another exit code than their class. */
const EXIT_CODES_BY_CODE: ReadonlyMap<string, ExitCode> = new Map([
  ['NSM_ARGUMENT', EXIT_CODE.USAGE],
  ['EMULATOR_ABSENT', EXIT_CODE.UNAVAILABLE],
  ['EMULATOR_UNREACHABLE', EXIT_CODE.UNAVAILABLE],
  ['BUILD_OPTION', EXIT_CODE.USAGE],
  ['BUILD_COMMAND_MISSING', EXIT_CODE.USAGE],
  ['BUILD_IMAGE_AMBIGUOUS', EXIT_CODE.USAGE],
  ['EIF_SOURCE', EXIT_CODE.UNAVAILABLE],
  ['EIF_SOURCE_CHANGED', EXIT_CODE.UNAVAILABLE],
  ['EIF_TARGET_EXISTS', EXIT_CODE.USAGE],
  ['EIF_SIGNING_KEY', EXIT_CODE.USAGE],
  ['EIF_SIGNING_KEY_MISMATCH', EXIT_CODE.USAGE],
  ['EIF_PCR_VALUE', EXIT_CODE.USAGE],
  ['EIF_ROLE_ARN', EXIT_CODE.USAGE],
  ['EIF_INSTANCE_ID', EXIT_CODE.USAGE],
]);

/** What the system does not have or give: a file, a socket, or an addon for this machine. */
function isUnavailable(error: unknown): error is Error {
  return error instanceof Error && ('syscall' in error || error.name === 'NativeUnavailableError');
}

function exitCodeOf(error: unknown, { signal }: CommandContext): ExitCode {
  if (isStop(error, signal)) return EXIT_CODE.UNAVAILABLE;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODE.OK : EXIT_CODE.USAGE;
  if (error instanceof NitroEnclavesError) {
    return EXIT_CODES_BY_CODE.get(error.code) ?? EXIT_CODES.get(error.name) ?? EXIT_CODE.BAD_EVIDENCE;
  }
  return isUnavailable(error) ? EXIT_CODE.UNAVAILABLE : EXIT_CODE.INTERNAL;
}

/** Whether a command ended because it was told to stop, which is no fault of this program. */
function isStop(error: unknown, { aborted, reason }: AbortSignal): error is Error {
  return aborted && error === reason && error instanceof Error;
}

/** What the system says; of a folder it says neither what was expected nor what to do. */
function sentenceOf({ message }: Error): string {
  return message.startsWith('EISDIR') ? `expected a file, found a folder: give the file itself (${message})` : message;
}

/** One line for an error that is expected, the whole stack for a fault of this program. */
function report(error: unknown, { stderr, signal }: CommandContext): void {
  if (error instanceof CommanderError) return;
  if (isStop(error, signal)) {
    stderr.write(`error: ${error.message}\n`);
    return;
  }
  // A message may quote a name of somebody else's.
  if (error instanceof NitroEnclavesError) stderr.write(`error: ${escapeControls(error.message)} (${error.code})\n`);
  else if (isUnavailable(error)) stderr.write(`error: ${sentenceOf(error)}\n`);
  else stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}

/** The area that the command line names, or all of them, for help and for names that come near one. The version needs none. */
function areasFor([name = '']: readonly string[]): readonly Area[] {
  if (VERSION_FLAGS.includes(name)) return [];
  const named = AREAS.filter(({ command }) => command === name);
  return named.length > 0 ? named : AREAS;
}

/** Runs `nitro-enclaves` with `args` (without the program's own name). Never throws: it reports, and sets the exit code. */
export async function run(args: readonly string[], context: CommandContext): Promise<void> {
  const program = new Command('nitro-enclaves')
    .description('AWS Nitro Enclaves: attestation, images, KMS policies, vsock and an emulator')
    .version(version, VERSION_FLAGS.join(', '))
    // An option belongs to the command that it follows: a subcommand may have one of the same name as its parent.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    });
  try {
    for (const { load } of areasFor(args)) (await load())(program, context);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    report(error, context);
    context.exitWith(exitCodeOf(error, context));
  }
}
