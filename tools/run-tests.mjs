// The whole test run: types and build, the project's own rules, every test on the running Node, and the ordinary tests
// on the other lines of Node. With arguments (`npm test -- packages/core`) only those tests, on the running Node.
// Ends with one line of counts over everything, whatever failed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { closingLine, recordCounts, sumCounts } from './counts.mjs';
import { installDebianPackages } from './debian-packages.mjs';
import { binaryFolder, chosenLines } from './node-lines.mjs';
import { ROOT, run } from './run.mjs';

/** Tests whose subject is not Node's version: a browser, a guest, the packed packages, the tools. */
const SAME_ON_EVERY_LINE = ['test/browser/**', 'test/qemu/**', 'test/package/**', 'test/tools/**', '**/*.soak.test.ts'];

const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const filters = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'counts-'));
process.env.TEST_COUNTS = join(folder, 'counts.jsonl');
recordCounts({ passed: 0, failed: 0, skipped: 0 });
let allWell = true;

/** Runs one part of the run, tells how long it took, and remembers its failure. */
async function part(name, work) {
  const start = performance.now();
  console.log(`\n== ${name}`);
  const status = await work().catch((error) => {
    console.error(error);
    recordCounts({ passed: 0, failed: 1, skipped: 0 });
    return 1;
  });
  console.log(
    `== ${name}: ${status === 0 ? 'done' : 'FAILED'} in ${((performance.now() - start) / 1000).toFixed(0)} s`,
  );
  if (status !== 0) allWell = false;
  return status === 0;
}

/** A part that counts as one test of its own. */
async function countedPart(name, work) {
  const well = await part(name, work);
  recordCounts({ passed: well ? 1 : 0, failed: well ? 0 : 1, skipped: 0 });
}

async function program(command, ...args) {
  return (await run(command, args)).status;
}

async function testOnLine(line) {
  const bin = await binaryFolder(line);
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const excluded = SAME_ON_EVERY_LINE.flatMap((pattern) => ['--exclude', pattern]);
  return (await run(join(bin, 'node'), [VITEST, 'run', ...excluded], { env })).status;
}

await countedPart('build', () => program('pnpm', '--silent', 'build'));
if (filters.length === 0) {
  await part('Debian packages', async () => {
    const problem = await installDebianPackages('chromium');
    if (problem !== undefined) console.log(`tests in the browser will be skipped: ${problem}`);
    return 0;
  });
  await part('check', () => program(process.execPath, 'tools/check.mjs'));
}
await part(`tests on Node ${process.versions.node}`, () => program(process.execPath, VITEST, 'run', ...filters));
if (filters.length === 0) {
  for (const line of chosenLines()) await part(`tests on Node ${line}`, () => testOnLine(line));
}

const total = sumCounts(process.env.TEST_COUNTS);
rmSync(folder, { recursive: true });
console.log(`\n${closingLine(total)}`);
process.exitCode = allWell && total.failed === 0 ? 0 : 1;
