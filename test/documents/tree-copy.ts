import { cpSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from '../../tools/run.mjs';

/** What packages are installed into, and what history and tests keep. */
const LEFT_OUT = /(?:^|\/)(?:node_modules|\.git|test\/\.cache)$/;

/** Copies this tree into `folder`: as a clone that was built before, with nothing installed. */
export function copyTree(folder: string): void {
  const filter = (path: string) => !LEFT_OUT.test(relative(ROOT, path));
  cpSync(ROOT, folder, { recursive: true, preserveTimestamps: true, filter });
}

/** A file of this folder. */
export const fileOfDocuments = (name: string): string => join(ROOT, 'test', 'documents', name);
