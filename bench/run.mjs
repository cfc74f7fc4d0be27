// Runs benchmarks, one process each: `pnpm bench` all of them, `pnpm bench <name>…` those of bench/<name>/.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const folders = readdirSync(here, { withFileTypes: true }).filter((entry) => entry.isDirectory());
const existing = folders.map(({ name }) => name).filter((name) => name !== 'node_modules');
const asked = process.argv.slice(2).filter((argument) => argument !== '--');
const unknown = asked.filter((name) => !existing.includes(name));
if (unknown.length > 0) {
  console.error(`expected one of ${existing.join(', ')}, found ${unknown.join(', ')}`);
  process.exit(2);
}

for (const name of asked.length > 0 ? asked : existing) {
  const files = readdirSync(join(here, name)).filter((file) => file.endsWith('.mjs'));
  for (const file of files.sort()) {
    console.log(`\n# ${name}/${file}`);
    const { status } = spawnSync(process.execPath, [join(here, name, file)], { stdio: 'inherit' });
    if (status !== 0) process.exitCode = 1;
  }
}
