// `pnpm check [step…]`: the project's own rules, each step's findings under its name. Ends with status 1 when any
// step found something.
import { layers } from './check/layers.mjs';
import { packedShape } from './check/packed-shape.mjs';
import { deadCode, formatAndLint, types } from './check/programs.mjs';
import { documents, errorCodesExplained, noMachineTraces, scriptsExist } from './check/tree.mjs';
import { recordCounts } from './counts.mjs';

const STEPS = {
  scripts: scriptsExist,
  format: formatAndLint,
  types,
  layers,
  'dead-code': deadCode,
  packages: packedShape,
  traces: noMachineTraces,
  documents,
  'error-codes': errorCodesExplained,
};

const chosen = process.argv.slice(2);
for (const name of chosen.filter((name) => !(name in STEPS))) {
  console.error(`expected steps of ${Object.keys(STEPS).join(', ')}; found ${name}`);
  process.exit(2);
}

const counts = { passed: 0, failures: [] };
for (const [name, step] of Object.entries(STEPS)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const problems = await step();
  console.log(problems.length === 0 ? `ok    ${name}` : `FAIL  ${name} (${problems.length})`);
  if (problems.length === 0) counts.passed += 1;
  else counts.failures.push(`check ${name}: ${problems.join(' ')}`);
  for (const problem of problems) console.log(problem.replaceAll(/^/gm, '      '));
}
recordCounts(counts);
process.exitCode = counts.failures.length === 0 ? 0 : 1;
