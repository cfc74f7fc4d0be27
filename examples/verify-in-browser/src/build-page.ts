import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { PageTrust } from './page/trust.ts';

/** Also from the compiled program: styles and template stay in the sources. */
const SOURCES = new URL('../src/page/', import.meta.url);

async function bundleScript(trust: PageTrust): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.ts', SOURCES))],
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    charset: 'ascii',
    define: { PAGE_TRUST: JSON.stringify(trust) },
    logLevel: 'silent',
  });
  const [output] = outputFiles;
  if (output === undefined) throw new Error('expected esbuild to give one file');
  return output.text;
}

function sourceHash(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/**
 * Makes the page: one HTML file with everything in it, also whom it trusts. Equal trust gives equal bytes, so its hash can
 * be published, and the file can stand anywhere. Its policy lets it run nothing else and ask nobody else.
 */
export async function buildPage(trust: PageTrust): Promise<string> {
  const [template, style, script] = await Promise.all([
    readFile(new URL('page.html', SOURCES), 'utf8'),
    readFile(new URL('page.css', SOURCES), 'utf8'),
    bundleScript(trust),
  ]);
  const asked = URL.canParse(trust.endpoint) ? new URL(trust.endpoint).origin : "'self'";
  const policy = [
    "default-src 'none'",
    `script-src ${sourceHash(script)}`,
    `style-src ${sourceHash(style)}`,
    `connect-src ${asked}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  // Functions, since "$&" in a replacement text would be taken for a pattern.
  return template
    .replace('content="policy"', () => `content="${policy}"`)
    .replace('<style></style>', () => `<style>${style}</style>`)
    .replace('<script type="module"></script>', () => `<script type="module">${script}</script>`);
}
