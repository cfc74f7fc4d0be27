// Builds the enclave's init for both CPUs, as committed in prebuilt/: `pnpm build:init`.
// The same compilers make the same bytes: Debian 12's gcc and gcc-aarch64-linux-gnu, version 12.2.0.
// Usage: node build.mjs [output folder] [architecture…]
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));

const FLAGS = [
  ...['-std=c11', '-Os', '-Wall', '-Wextra', '-Werror', '-ffreestanding', '-fno-tree-loop-distribute-patterns'],
  ...['-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fno-ident', '-fno-pie', '-no-pie'],
  ...['-static', '-nostdlib', '-nostartfiles', '-Wl,--build-id=none', '-Wl,-z,noexecstack', '-Wl,-s'],
];
const COMPILERS = {
  x86_64: ['x86_64-linux-gnu-gcc', '-fcf-protection=none'],
  aarch64: ['aarch64-linux-gnu-gcc', '-mbranch-protection=none'],
};

const [output = join(folder, 'prebuilt'), ...wanted] = process.argv.slice(2);
mkdirSync(output, { recursive: true });
const sources = readdirSync(folder)
  .filter((name) => name.endsWith('.c'))
  .sort();
for (const architecture of wanted.length > 0 ? wanted : Object.keys(COMPILERS)) {
  const [compiler, ...flags] = COMPILERS[architecture];
  const arguments_ = [...FLAGS, ...flags, '-o', join(output, `init-${architecture}`), ...sources];
  execFileSync(compiler, arguments_, { cwd: folder, stdio: 'inherit', env: { ...process.env, LC_ALL: 'C' } });
}
