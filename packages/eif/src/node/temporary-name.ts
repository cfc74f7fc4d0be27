import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';

/** A name beside `path` (so that a rename stays within one file system) that nobody can guess and no second run shares. */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.partial`);
}
