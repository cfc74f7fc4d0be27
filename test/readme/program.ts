import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import type { CodeBlock } from './code-blocks.ts';

/** The name of a block's file. */
export const fileOf = ({ place }: CodeBlock, extension: string): string =>
  `${place.replaceAll(/[^\w.]+/g, '-')}${extension}`;

/** Makes a program of a block in TypeScript, in `folder`, and gives its path. */
export function writeProgram(block: CodeBlock, folder: string): string {
  const { outputText } = ts.transpileModule(block.code, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
  });
  const file = join(folder, fileOf(block, '.mjs'));
  writeFileSync(file, outputText);
  return file;
}
