import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../tools/run.mjs';

/** A fenced block of a document. */
export interface CodeBlock {
  /** Where it stands, such as `packages/core/README.md:12`. */
  readonly place: string;
  readonly language: string;
  /** The words after the language, such as `enclave`. */
  readonly marks: readonly string[];
  readonly code: string;
}

function folders(parent: string): string[] {
  if (!existsSync(join(ROOT, parent))) return [];
  return readdirSync(join(ROOT, parent), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .map((entry) => join(parent, entry.name));
}

function markdownUnder(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file));
}

/** Every document whose examples are promises: the root's, docs/, and the README of each package and example. */
export function documents(): string[] {
  const readmes = [...folders('packages'), ...folders('examples')].map((folder) => join(folder, 'README.md'));
  const atRoot = readdirSync(ROOT).filter((file) => file.endsWith('.md'));
  return [...atRoot, ...markdownUnder('docs'), ...readmes].filter((file) => existsSync(join(ROOT, file)));
}

/** The fenced blocks of one document, by its name. */
export function codeBlocks(document: string): CodeBlock[] {
  return codeBlocksOf(document, readFileSync(join(ROOT, document), 'utf8'));
}

/** The fenced blocks of `text`, which stands in `document`, those in lists too: without the indentation. */
export function codeBlocksOf(document: string, text: string): CodeBlock[] {
  return Array.from(text.matchAll(/^( *)```(\w+)([^\n]*)\n(.*?)^\1```\s*$/gms), (match) => {
    const [, indentation = '', language = '', marks = '', indented = ''] = match;
    const line = text.slice(0, match.index).split('\n').length;
    const code = indented.replaceAll(new RegExp(`^${indentation}`, 'gm'), '');
    return { place: `${document}:${line}`, language, marks: marks.trim().split(/\s+/).filter(Boolean), code };
  });
}
