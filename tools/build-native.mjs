// Builds the addons for both processors with Debian's compilers, without a C library: one binary each for glibc and musl
// of any version. The same compilers give the same bytes, which packages/native/test/prebuilds.soak.test.ts holds us to.
// Usage: node tools/build-native.mjs [--out <folder>] [--sanitize]
//   --out        where the folders linux-x64 and linux-arm64 go; default packages/native/prebuilds
//   --sanitize   this machine's processor only, under AddressSanitizer and UBSan, with the C library that these need
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({ options: { out: { type: 'string' }, sanitize: { type: 'boolean' } } });
const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'packages/native/src');
const out = options.out ?? join(root, 'packages/native/prebuilds');
const { include_dir: headers } = createRequire(join(root, 'packages/native/package.json'))('node-api-headers');

function sourcesIn(folder) {
  return readdirSync(join(source, folder))
    .filter((name) => name.endsWith('.c'))
    .sort()
    .map((name) => join(folder, name));
}

/** The relay is an addon of its own: what an enclave loads has no code but what an enclave needs. */
const ADDONS = {
  'nitro-enclaves': sourcesIn('.'),
  'nitro-enclaves-relay': [...sourcesIn('relay'), 'mailbox.c', 'thread.c', 'values.c'],
};
const COMPILERS = { x64: 'x86_64-linux-gnu-gcc', arm64: 'aarch64-linux-gnu-gcc' };
const COMMON = [
  '-std=gnu11',
  '-fPIC',
  '-shared',
  '-fvisibility=hidden',
  '-DNAPI_VERSION=8',
  '-pthread',
  '-Wall',
  '-Wextra',
  '-Werror',
];
const SANITIZED = [
  '-g',
  '-O1',
  '-fno-omit-frame-pointer',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=undefined',
  // So that the checks come to ids of more than 32 bits.
  '-DFIRST_ID=0xffffff00',
];
const RELEASE = [
  '-O2',
  '-ffreestanding',
  '-nostdlib',
  '-fno-stack-protector',
  '-fno-asynchronous-unwind-tables',
  '-fno-ident',
  // nodelete: a thread that waits for the NSM outlives the worker that started it, and with it the unloading.
  '-Wl,--build-id=none,--hash-style=gnu,-z,relro,-z,now,-z,noexecstack,-z,nodelete,--strip-all',
];
const PROCESSOR = { x64: [], arm64: ['-mno-outline-atomics'] };

function build(processor, addon) {
  const file = join(out, `linux-${processor}`, `${addon}.node`);
  mkdirSync(dirname(file), { recursive: true });
  const mode = options.sanitize ? SANITIZED : [...RELEASE, ...PROCESSOR[processor]];
  // Relative names, from the sources' folder: no path of this machine gets into the binary.
  const { status, error } = spawnSync(
    COMPILERS[processor],
    [...COMMON, ...mode, '-isystem', headers, '-o', file, ...ADDONS[addon]],
    { cwd: source, stdio: 'inherit' },
  );
  if (error)
    throw new Error(`expected Debian's ${COMPILERS[processor]} (packages gcc, gcc-aarch64-linux-gnu)`, {
      cause: error,
    });
  if (status !== 0) process.exit(status ?? 1);
  process.stdout.write(`${file}\n`);
}

for (const processor of options.sanitize ? [process.arch] : Object.keys(COMPILERS)) {
  for (const addon of Object.keys(ADDONS)) build(processor, addon);
}
