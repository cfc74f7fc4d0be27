// How far building an image is from the least that it could cost: writing the same tree as one archive, and one hash over
// the result. The tree is Node as it runs here, and many small files beside it.
// Claim: at least 0.5 times as fast, that is, at most 2 times as long.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildEif } from '@nitro-enclaves/eif';
import { describeMachine, printClaim, printMedians, sideBySide } from '../side-by-side.mjs';

const SMALL_FILES = 4000;
const RUNS = 9;
const FLOOR = 'tar, then openssl dgst -sha384';

/** A bzImage by its magic number; the rest is nobody's concern here. */
function kernel() {
  const bytes = Buffer.alloc(8 << 20, 'kernel');
  bytes.write('HdrS', 0x202);
  bytes.writeUInt16LE(0x400, 0x20e);
  bytes.write('6.6.79\0', 0x600);
  return bytes;
}

function makeTree(root) {
  for (const folder of ['bin', 'lib64', 'app']) mkdirSync(join(root, folder), { recursive: true });
  copyFileSync(process.execPath, join(root, 'bin/node'));
  // The loader that Node's ELF header names: that it is there is checked, its content is not.
  const loader = process.arch === 'arm64' ? 'lib/ld-linux-aarch64.so.1' : 'lib64/ld-linux-x86-64.so.2';
  mkdirSync(join(root, loader, '..'), { recursive: true });
  copyFileSync(`/${loader}`, join(root, loader));
  for (let index = 0; index < SMALL_FILES; index += 1) {
    const folder = join(root, 'app', `package-${index % 80}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${index}.js`), `// ${index}\n`.repeat(50 + (index % 400)));
  }
}

const folder = mkdtempSync(join(tmpdir(), 'bench-build-'));
try {
  const root = join(folder, 'root');
  makeTree(root);
  writeFileSync(join(folder, 'bzImage'), kernel());
  const archive = join(folder, 'tree.tar');

  const medians = await sideBySide(
    {
      [FLOOR]: () => {
        execFileSync('tar', ['-C', root, '-cf', archive, '.']);
        execFileSync('openssl', ['dgst', '-sha384', archive]);
      },
      buildEif: () =>
        buildEif({
          output: join(folder, 'image.eif'),
          rootfs: root,
          kernel: join(folder, 'bzImage'),
          architecture: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
          cmdline: 'console=ttyS0',
          entrypoint: ['/bin/node'],
        }),
    },
    { rounds: RUNS },
  );
  console.log(
    `${describeMachine()}; ${Math.round(statSync(archive).size / 2 ** 20)} MiB, ${SMALL_FILES} small files\n`,
  );
  printMedians(medians, (name) => (name === FLOOR ? undefined : FLOOR));
  console.log();
  const ratio = medians.get('buildEif') / medians.get(FLOOR);
  printClaim(`building an image, beside ${FLOOR}`, { ratio, atMost: 2 });
} finally {
  rmSync(folder, { recursive: true });
}
