// What a user would install: each package's tarball, judged by publint and attw, with its README and LICENSE.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { problemKindInfo } from '@arethetypeswrong/core/problems';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { ROOT } from '../run.mjs';
import { packAll } from '../workspace.mjs';

/** ES modules only is our choice: resolutions that know none of them are no fault. */
const RESOLUTIONS_WITHOUT_ESM = new Set(['node10', 'node16-cjs']);

const FILES_OF_EVERY_PACKAGE = ['package.json', 'README.md', 'LICENSE'];

async function publintProblems(bytes) {
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  return messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false })}`);
}

async function attwProblems(packed) {
  const analysis = await checkPackage(packed);
  if (!analysis.types) return ['attw: found no types'];
  return analysis.problems
    .filter((problem) => !RESOLUTIONS_WITHOUT_ESM.has(problem.resolutionKind))
    .map((problem) => `attw: ${problemKindInfo[problem.kind].description} ${JSON.stringify(problem)}`);
}

function missingFiles(packed) {
  const prefix = `/node_modules/${packed.packageName}/`;
  return FILES_OF_EVERY_PACKAGE.filter((file) => !packed.fileExists(prefix + file)).map((file) => `has no ${file}`);
}

/** The compiler leaves what it made of a source that is gone since: it would be published. */
function leftOvers(packed, folder) {
  return packed
    .listFiles(`/node_modules/${packed.packageName}/dist`)
    .map((file) => file.slice(`/node_modules/${packed.packageName}/dist/`.length))
    .filter((file) => file.endsWith('.js'))
    .filter((file) => !existsSync(join(ROOT, 'packages', folder, 'src', file.replace(/\.js$/, '.ts'))))
    .map((file) => `dist/${file} has no source any more: remove it`);
}

async function problemsOf({ folder, tarball }) {
  const bytes = readFileSync(tarball);
  const packed = createPackageFromTarballData(bytes);
  return [
    ...missingFiles(packed),
    ...leftOvers(packed, folder),
    ...(await publintProblems(bytes)),
    ...(await attwProblems(packed)),
  ];
}

/** Packs every package and judges each tarball. */
export async function packedShape() {
  const folder = mkdtempSync(join(tmpdir(), 'packed-'));
  try {
    const problems = [];
    for (const packed of await packAll(folder)) {
      problems.push(...(await problemsOf(packed)).map((problem) => `${packed.name}: ${problem}`));
    }
    return problems;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
