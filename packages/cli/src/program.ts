import { readFileSync } from 'node:fs';
import { NitroEnclavesError } from '@nitro-enclaves/core';
import { Command, CommanderError } from 'commander';
import { registerAttestation } from './attestation/commands.ts';
import type { CommandContext } from './command-context.ts';
import { registerDoctor } from './doctor/register.ts';
import { registerEif } from './eif/register.ts';
import { registerEmulator } from './emulator/register.ts';
import type { ExitCode } from './exit-code.ts';
import { EXIT_CODE } from './exit-code.ts';
import { registerKmsPolicy } from './kms-policy/register.ts';
import { registerNsm } from './nsm/register.ts';
import { registerPcr } from './pcr/register.ts';
import { registerProxy } from './proxy/register.ts';

/** The version of this package: the folder above is its own both in the tree and installed. */
const { version }: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** Adds one area's commands, such as `attestation verify`, to the program. */
export type RegisterCommands = (program: Command, context: CommandContext) => void;

/** Every area's commands, in the order in which `--help` lists them. */
const AREAS: readonly RegisterCommands[] = [
  registerAttestation,
  registerEif,
  registerPcr,
  registerKmsPolicy,
  registerNsm,
  registerDoctor,
  registerEmulator,
  registerProxy,
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

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_CODE.OK : EXIT_CODE.USAGE;
  if (error instanceof NitroEnclavesError) {
    return EXIT_CODES_BY_CODE.get(error.code) ?? EXIT_CODES.get(error.name) ?? EXIT_CODE.BAD_EVIDENCE;
  }
  return error instanceof Error && 'syscall' in error ? EXIT_CODE.UNAVAILABLE : EXIT_CODE.INTERNAL;
}

/** One line for an error that is expected, the whole stack for a fault of this program. */
function report(error: unknown, { stderr }: CommandContext): void {
  if (error instanceof CommanderError) return;
  if (error instanceof NitroEnclavesError) stderr.write(`error: ${error.message} (${error.code})\n`);
  else if (error instanceof Error && 'syscall' in error) stderr.write(`error: ${error.message}\n`);
  else stderr.write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}

/** Runs `nitro-enclaves` with `args` (without the program's own name). Never throws: it reports, and sets the exit code. */
export async function run(args: readonly string[], context: CommandContext): Promise<void> {
  const program = new Command('nitro-enclaves')
    .description('AWS Nitro Enclaves: attestation, images, KMS policies, vsock and an emulator')
    .version(version)
    // An option belongs to the command that it follows: a subcommand may have one of the same name as its parent.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    });
  for (const register of AREAS) register(program, context);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    report(error, context);
    context.exitWith(exitCodeOf(error));
  }
}
