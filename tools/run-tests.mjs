// The whole test run: types and build, the project's own rules, every test on the running Node, and the ordinary tests
// on the other lines of Node. With arguments (`npm test -- packages/core`) only those tests, on the running Node.
// Ends with a line for each failure and one of counts over everything, whatever failed.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { closingLines, recordCounts, sumCounts } from './counts.mjs';
import { installDebianPackages } from './debian-packages.mjs';
import { binaryFolder, chosenLines } from './node-lines.mjs';
import { ROOT, run } from './run.mjs';

/**
 * Tests that want the machine for themselves, and whose subject is not Node's version: a browser, a guest, the packed
 * packages, containers, long soaks. They run one file after the other, and once.
 */
const HEAVY = [
  'test/browser/',
  'examples/verify-in-browser/test/',
  'test/package/',
  'test/qemu/',
  'test/demo/',
  'test/documents/',
  'test/fuzz/',
  'soak.test.ts',
];

/** No line of Node is begun that would not be done by then, in ms since the run's start: a run with no end helps nobody. */
const LATEST_END = 38 * 60_000;

const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
const filters = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'counts-'));
process.env.TEST_COUNTS = join(folder, 'counts.jsonl');
recordCounts({});
let allWell = true;
/** The longest that the ordinary tests took on a line of Node so far, in ms. */
let longestLine = 0;

/** Runs one part of the run, tells how long it took, and remembers its failure. */
async function part(name, work) {
  const start = performance.now();
  console.log(`\n== ${name}`);
  const status = await work().catch((error) => {
    console.error(error);
    recordCounts({ failures: [`${name}: ${error}`] });
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
  recordCounts(well ? { passed: 1 } : { failures: [name] });
}

async function program(command, ...args) {
  return (await run(command, args)).status;
}

/** The ordinary tests, under the `node` program of the folder `bin`. */
async function testOrdinary(bin) {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const excluded = HEAVY.flatMap((pattern) => ['--exclude', pattern.endsWith('/') ? `${pattern}**` : `**/*${pattern}`]);
  const start = performance.now();
  const { status } = await run(join(bin, 'node'), [VITEST, 'run', ...excluded], { env });
  longestLine = Math.max(longestLine, performance.now() - start);
  return status;
}

/**
 * A browser, compilers for the programs that tests start, what they compare with, what documents' commands use, and what packages
 * for dnf are made with.
 */
const DEBIAN_PACKAGES = [
  ...['chromium', 'gcc', 'libc6-dev', 'gcc-aarch64-linux-gnu', 'cpio', 'openssl'],
  ...['awscli', 'buildah', 'curl', 'dnf', 'docker-registry', 'jq', 'systemd'],
  ...['createrepo-c', 'rpm'],
  // It cannot stand beside the package of Kubernetes itself, which does as well.
  ...(existsSync('/usr/bin/kubectl') ? [] : ['kubernetes-client']),
];

/** Without them tests skip, and say why: no reason to stop. */
async function installForTests() {
  const problem = await installDebianPackages(...DEBIAN_PACKAGES);
  if (problem !== undefined) console.log(`some tests will be skipped: ${problem}`);
  return 0;
}

/** A line of Node, unless the run has taken so long already that the machine must be at fault: that is said, and counted. */
async function testLine(line) {
  if (performance.now() + longestLine < LATEST_END) {
    await part(`tests on Node ${line}`, async () => testOrdinary(await binaryFolder(line)));
    return;
  }
  console.log(`\n== tests on Node ${line}: SKIPPED, the run is too slow for them: NODE_LINES=${line} npm test`);
  recordCounts({ skipped: 1 });
}

async function testEverything() {
  await part('Debian packages', installForTests);
  await part('check', () => program(process.execPath, 'tools/check.mjs'));
  await part(`tests on Node ${process.versions.node}`, () => testOrdinary(dirname(process.execPath)));
  await part('heavy tests', () => program(process.execPath, VITEST, 'run', '--no-file-parallelism', ...HEAVY));
  for (const line of chosenLines()) await testLine(line);
}

await countedPart('build', () => program('pnpm', '--silent', 'build'));
if (filters.length === 0) await testEverything();
else await part(`tests on Node ${process.versions.node}`, () => program(process.execPath, VITEST, 'run', ...filters));

const total = sumCounts(process.env.TEST_COUNTS);
rmSync(folder, { recursive: true });
console.log(`\n${closingLines(total)}`);
process.exitCode = allWell && total.failures.length === 0 ? 0 : 1;
