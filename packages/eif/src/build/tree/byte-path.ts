import { failBuild } from '../error.ts';

/**
 * Names of files are bytes, not text, on Linux. Inside the tree they are strings of one character a byte (latin1), so
 * that they order and compare as bytes do.
 */
export type ByteString = string;

/** Longest path that the kernel unpacks from a ramdisk, with its NUL: PATH_MAX. */
const MAX_PATH_BYTES = 4096;
/** Longest name of one file: NAME_MAX. */
const MAX_NAME_BYTES = 255;

/** The bytes of a text. */
export function toByteString(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** For people: the bytes as UTF-8. */
export function display(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function hasLongName(path: ByteString): boolean {
  return path.length > MAX_NAME_BYTES && path.split('/').some((name) => name.length > MAX_NAME_BYTES);
}

/** Refuses what the kernel would skip without a word when it unpacks the ramdisk. */
export function checkLength(path: ByteString): void {
  if (hasLongName(path)) {
    failBuild('BUILD_NAME_TOO_LONG', `expected names of at most ${MAX_NAME_BYTES} bytes`, { path: display(path) });
  }
  if (path.length >= MAX_PATH_BYTES) {
    failBuild('BUILD_NAME_TOO_LONG', `expected a path shorter than ${MAX_PATH_BYTES} bytes, found ${path.length}`, {
      path: display(path),
    });
  }
}

/**
 * The names that a path inside the root consists of. `.` and empty parts go.
 * @throws {EifBuildError} `BUILD_PATH` for `..` (an archive must not write outside of the root) and for a NUL byte.
 */
export function splitPath(path: ByteString): ByteString[] {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) {
    failBuild('BUILD_PATH', 'expected a path inside of the root, found one with ".."', { path: display(path) });
  }
  if (path.includes('\0')) failBuild('BUILD_PATH', 'expected a path without NUL bytes', { path: display(path) });
  return names;
}
