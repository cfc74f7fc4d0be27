import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VMADDR_PORT_ANY } from '@nitro-enclaves/vsock';
import { EmulatorError } from '../error.ts';
import { isSystemError } from '../system-error.ts';
import type { Program } from './program.ts';

/** Where AWS's init looks for a name without a slash. */
const GIVEN_INIT_PATH = 'PATH=/sbin:/usr/sbin:/bin:/usr/bin';

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
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
      if (split < 0) throw wrong(`app.conf to have key=value, found ${JSON.stringify(record.slice(0, 64))}`);
      return [record.slice(0, split), record.slice(split + 1)];
    });
}

function wrong(sentence: string): EmulatorError {
  return new EmulatorError('EMULATOR_IMAGE', `expected ${sentence}`);
}

/** A vsock port in decimal. */
function readPort(text: string): number {
  const port = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (port > 0 && port < VMADDR_PORT_ANY) return port;
  throw wrong(`exit-status-port of app.conf to be a port, found ${JSON.stringify(text.slice(0, 64))}`);
}

function ownInitProgram(text: string, root: string): Program {
  const records = parseRecords(text);
  const all = (key: string) => records.filter(([name]) => name === key).map(([, value]) => value);
  const [executable] = all('exec');
  const [port] = all('exit-status-port');
  return {
    command: [...(executable === undefined ? [] : [executable]), ...all('arg').slice(1)],
    environment: all('env').filter((variable) => variable.includes('=')),
    workingDirectory: all('workdir')[0] ?? '/',
    root,
    ...(port !== undefined && { exitStatusPort: readPort(port) }),
  };
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

function givenInitProgram(command: string, environment: string, root: string): Program {
  // putenv takes a name without a value out of the environment, where it never was.
  const given = lines(environment).filter((variable) => variable.includes('='));
  return {
    command: lines(command),
    environment: given.some((variable) => variable.startsWith('PATH=')) ? given : [...given, GIVEN_INIT_PATH],
    workingDirectory: '/',
    root,
  };
}

/** A link in its place would lead out of the image, to the files of this machine. */
async function expectRoot(root: string): Promise<void> {
  const found = await lstat(root).catch(() => undefined);
  if (!found?.isDirectory()) throw wrong('a folder named rootfs in its ramdisks, found none');
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
  if (program.command.length > 0) {
    await expectRoot(root);
    return program;
  }
  throw new EmulatorError(
    'EMULATOR_IMAGE',
    "expected an image that says what to run (app.conf, or nitro-cli's cmd), found neither in its ramdisks",
  );
}
