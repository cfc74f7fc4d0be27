import { failBuild } from '../error.ts';
import type { ByteString } from '../tree/byte-path.ts';
import { toByteString } from '../tree/byte-path.ts';

/** What an image's configuration, or the caller, says about the program to run. */
export interface ImageCommand {
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** Environment, as `NAME=value`. */
  readonly env?: readonly string[];
  /** Absolute; made when the image lacks it. Default `/`. */
  readonly workingDirectory?: string;
  /** `user`, `uid`, `user:group` or `uid:gid`; names are looked up in the image. Default root. */
  readonly user?: string;
}

/** {@link ImageCommand}, joined and checked: bytes from here on. */
export interface Command {
  readonly arguments: readonly ByteString[];
  readonly environment: readonly ByteString[];
  readonly workingDirectory: ByteString;
  readonly user: string;
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Longest single argument or variable that the kernel takes, with its NUL: MAX_ARG_STRLEN. */
const MAX_STRING_BYTES = 131_072;
const ENVIRONMENT_VARIABLE = /^[^=\0]+=/;

function checked(text: string, what: string): ByteString {
  const bytes = toByteString(text);
  if (bytes.includes('\0')) failBuild('BUILD_COMMAND_TEXT', `expected ${what} without NUL bytes`);
  if (bytes.length >= MAX_STRING_BYTES) {
    failBuild('BUILD_COMMAND_TEXT', `expected ${what} shorter than ${MAX_STRING_BYTES} bytes, found ${bytes.length}`);
  }
  return bytes;
}

function joinedEnvironment(env: readonly string[]): ByteString[] {
  const byName = new Map<string, ByteString>();
  for (const variable of env) {
    // The value may be a secret: only the name's place is told.
    if (!ENVIRONMENT_VARIABLE.test(variable)) failBuild('BUILD_COMMAND_TEXT', 'expected variables as NAME=value');
    byName.set(variable.slice(0, variable.indexOf('=')), checked(variable, 'environment variables'));
  }
  if (!byName.has('PATH')) byName.set('PATH', DEFAULT_PATH);
  return [...byName.values()];
}

/** The last value of a variable, or `undefined`. */
export function variable(environment: readonly ByteString[], name: string): ByteString | undefined {
  return environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

/**
 * Joins ENTRYPOINT and CMD, as a container would be started; what `given` says comes before what the image says. As with
 * containers, an entry point that is given takes the place of the image's CMD too.
 * @throws {EifBuildError} `BUILD_COMMAND_MISSING` when there is nothing to run, `BUILD_COMMAND_TEXT`,
 * `BUILD_WORKING_DIRECTORY`.
 */
export function joinCommand(image: ImageCommand, given: ImageCommand): Command {
  const imageCmd = given.entrypoint === undefined ? (image.cmd ?? []) : [];
  const words = [...(given.entrypoint ?? image.entrypoint ?? []), ...(given.cmd ?? imageCmd)];
  if (words.length === 0 || words[0] === '') {
    failBuild('BUILD_COMMAND_MISSING', 'expected an entry point or a command, in the image or given');
  }
  const workingDirectory = checked(given.workingDirectory || image.workingDirectory || '/', 'a working directory');
  if (!workingDirectory.startsWith('/')) {
    failBuild('BUILD_WORKING_DIRECTORY', 'expected an absolute working directory, found a relative one');
  }
  return {
    arguments: words.map((word) => checked(word, 'arguments')),
    environment: joinedEnvironment([...(image.env ?? []), ...(given.env ?? [])]),
    workingDirectory,
    user: given.user || image.user || '0',
  };
}
