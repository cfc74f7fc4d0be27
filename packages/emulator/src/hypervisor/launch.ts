import { resolve } from 'node:path';
import type { EifPcrs } from '@nitro-enclaves/eif';
import { EMULATOR_VARIABLE } from '../enclave/place.ts';
import { EmulatorError } from '../error.ts';
import type { ImageMeasurements } from '../nsm/enclave-identity.ts';
import { findExecutable, measureCommand } from './command-measurement.ts';
import { prepareMountPoints } from './enclave-folder.ts';
import { readImageProgram } from './image-program.ts';
import type { MetadataOutput } from './nitro-cli-output.ts';
import type { Program } from './program.ts';
import type { EnclaveSettings, RunCommandOptions, RunEnclaveOptions, RunImageOptions } from './run-options.ts';
import { expectRoomFor } from './run-options.ts';

/** A program and its measurements. */
export interface MeasuredProgram {
  readonly program: Program;
  readonly measurements: ImageMeasurements;
  /** What the image says of itself; nothing of a command. */
  readonly metadata: MetadataOutput;
}

/** What container engines give a program without an environment. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function measurementsOf({ PCR0, PCR1, PCR2, PCR8 }: EifPcrs): ImageMeasurements {
  return { PCR0, PCR1, PCR2, ...(PCR8 !== undefined && { PCR8 }) };
}

async function prepareImage(
  { eif, signal }: RunImageOptions,
  { memoryMiB }: EnclaveSettings,
  folder: string,
): Promise<MeasuredProgram> {
  // Loaded when there is an image: an emulator starts sooner without.
  const { describeEif, extractEif } = await import('@nitro-enclaves/eif');
  const options = signal === undefined ? {} : { signal };
  const { eif: image } = await extractEif(eif, folder, options);
  expectRoomFor(image.byteLength, memoryMiB);
  const program = await readImageProgram(resolve(folder, 'initramfs'));
  if (program.root !== undefined) await prepareMountPoints(program.root);
  const { ImageName, ImageVersion, Metadata } = await describeEif(eif, options);
  return { program, measurements: measurementsOf(image.pcrs), metadata: { ImageName, ImageVersion, Metadata } };
}

function argumentError(expected: string): EmulatorError {
  return new EmulatorError('EMULATOR_ARGUMENT', `expected ${expected}`);
}

/** A name that is empty or has `=` in it would be another variable, or the command itself. */
function readVariable([name, value]: [name: string, value: string]): string {
  if (/^[^=\0]+$/.test(name) && !value.includes('\0')) return `${name}=${value}`;
  throw argumentError(`the name of a variable, and a value without NUL characters, found ${JSON.stringify(name)}`);
}

async function prepareCommand(options: RunCommandOptions): Promise<MeasuredProgram> {
  const { command, environment = { PATH: DEFAULT_PATH }, files = [] } = options;
  const workingDirectory = resolve(options.workingDirectory ?? process.cwd());
  const searchPath = options.searchPath ?? process.env['PATH'] ?? DEFAULT_PATH;
  const executable = await findExecutable(command[0] ?? '', { searchPath, workingDirectory });
  const variables = Object.entries(environment).map(readVariable);
  if (command.some((word) => word.includes('\0'))) throw argumentError('a command without NUL characters');
  const measurements = await measureCommand({ command, executable, environment: variables, workingDirectory, files });
  const program = { command: [executable, ...command.slice(1)], environment: variables, workingDirectory };
  return { program, measurements, metadata: {} };
}

/**
 * Measures what is to be run, and unpacks an image into `folder`.
 * @throws {EifError} when the image is not well-formed.
 * @throws {EmulatorError} `EMULATOR_COMMAND`, `EMULATOR_IMAGE`, `EMULATOR_MEMORY`
 */
export function prepareProgram(
  options: RunEnclaveOptions,
  settings: EnclaveSettings,
  folder: string,
): Promise<MeasuredProgram> {
  return 'eif' in options ? prepareImage(options, settings, folder) : prepareCommand(options);
}

/** The program with the one variable that tells it where its emulator is. */
export function withPlace(program: Program, place: string): Program {
  return { ...program, environment: [...program.environment, `${EMULATOR_VARIABLE}=${place}`] };
}
