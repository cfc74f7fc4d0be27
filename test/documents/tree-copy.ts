import { cpSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from '../../tools/run.mjs';

/** What packages are installed into, what history and caches are kept in. */
const LEFT_OUT = new Set(['node_modules', '.git', '.cache']);

/** Copies this tree into `folder`: as a clone that was built before, with nothing installed. */
export function copyTree(folder: string): void {
  const filter = (path: string) =>
    !relative(ROOT, path)
      .split('/')
      .some((name) => LEFT_OUT.has(name));
  cpSync(ROOT, folder, { recursive: true, preserveTimestamps: true, filter });
}

/** A file of this folder. */
export const fileOfDocuments = (name: string): string => join(ROOT, 'test', 'documents', name);
