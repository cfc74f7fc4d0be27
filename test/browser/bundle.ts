import { fileURLToPath } from 'node:url';
import type { BuildOptions } from 'esbuild';
import { build } from 'esbuild';

/** Bundles for a browser, as an application would: the packages by their `browser` conditions, nothing left outside. */
export async function bundle(input: Pick<BuildOptions, 'entryPoints' | 'stdin'>, minify = false): Promise<Uint8Array> {
  const { outputFiles } = await build({
    ...input,
    bundle: true,
    minify,
    write: false,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
    logLevel: 'silent',
  });
  const [output] = outputFiles;
  if (output === undefined) throw new Error('expected esbuild to give one file');
  return output.contents;
}
