import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmulatorError } from '../error.ts';
import type { Program } from './program.ts';

/** Where AWS's init looks for a name without a slash. */
const GIVEN_INIT_PATH = 'PATH=/sbin:/usr/sbin:/bin:/usr/bin';

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Settings for the init of the package `eif`: `key=value`, each closed by a NUL. */
function parseRecords(text: string): [key: string, value: string][] {
  return text
    .split('\0')
    .filter((record) => record !== '')
    .map((record) => {
      const split = record.indexOf('=');
      return [record.slice(0, split), record.slice(split + 1)];
    });
}

function ownInitProgram(text: string, root: string): Program {
  const records = parseRecords(text);
  const all = (key: string) => records.filter(([name]) => name === key).map(([, value]) => value);
  const [executable] = all('exec');
  const [port] = all('exit-status-port');
  return {
    command: [...(executable === undefined ? [] : [executable]), ...all('arg').slice(1)],
    environment: all('env'),
    workingDirectory: all('workdir')[0] ?? '/',
    root,
    ...(port !== undefined && { exitStatusPort: Number(port) }),
  };
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

function givenInitProgram(command: string, environment: string, root: string): Program {
  const given = lines(environment);
  return {
    command: lines(command),
    environment: given.some((variable) => variable.startsWith('PATH=')) ? given : [...given, GIVEN_INIT_PATH],
    workingDirectory: '/',
    root,
  };
}

/**
 * What an image runs, out of its unpacked ramdisks: with the init of the package `eif` (`app.conf`) or with AWS's (`cmd` and
 * `env`).
 * @throws {EmulatorError} `EMULATOR_IMAGE` for an image with another init.
 */
export async function readImageProgram(initramfs: string): Promise<Program> {
  const root = join(initramfs, 'rootfs');
  const records = await readIfThere(join(initramfs, 'app.conf'));
  const command = await readIfThere(join(initramfs, 'cmd'));
  const program =
    records !== undefined
      ? ownInitProgram(records, root)
      : givenInitProgram(command ?? '', (await readIfThere(join(initramfs, 'env'))) ?? '', root);
  if (program.command.length > 0) return program;
  throw new EmulatorError(
    'EMULATOR_IMAGE',
    "expected an image that says what to run (app.conf, or nitro-cli's cmd), found neither in its ramdisks",
  );
}
