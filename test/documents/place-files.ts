// Files by the names that the documents' examples have for them.
import { createPrivateKey } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildEif } from '@nitro-enclaves/eif';
import { dockerSave, writeTar } from '../../packages/eif/test/build/image-writer.ts';
import { elf } from '../../packages/eif/test/build/workplace.ts';
import { makeRoot } from '../../tools/demo/bundle.mjs';
import { ROOT } from '../../tools/run.mjs';
import { outputOf } from './output-of.ts';
import { CPU, writeBlobs } from './packages.ts';

/** Port on which the image of an example tells its parent how it has ended. */
const EXIT_STATUS_PORT = 9001;

/** signer.key and signer.pem, and the same certificate in DER. */
function writeSigner(folder: string): void {
  const files = ['-keyout', 'signer.key', '-out', 'signer.pem'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-noenc'];
  const request = ['req', '-x509', ...key, '-subj', '/CN=signer', '-days', '30', ...files];
  outputOf('openssl', request, { cwd: folder });
  const inDer = ['x509', '-in', 'signer.pem', '-outform', 'DER', '-out', 'certificate.der'];
  outputOf('openssl', inDer, { cwd: folder });
}

/** app.eif, an image of the example hello, and app.tar, a container as `docker save` writes it. */
async function writeImages(folder: string, blobsFolder: string): Promise<void> {
  const rootfs = join(folder, 'root');
  await makeRoot(rootfs, { entry: join(ROOT, 'examples/hello/dist/main.js') });
  const cmd = ['/usr/bin/node', '/app/main.mjs'];
  await buildEif({
    rootfs,
    cmd,
    blobs: blobsFolder,
    exitStatusPort: EXIT_STATUS_PORT,
    output: join(folder, 'app.eif'),
  });
  rmSync(rootfs, { recursive: true });
  const layers = [{ entries: [{ name: 'app', content: elf(CPU), mode: 0o755 }] }];
  const architecture = CPU === 'aarch64' ? 'arm64' : 'amd64';
  writeTar(join(folder, 'app.tar'), dockerSave({ layers, architecture, name: 'app:latest' }));
}

/** Writes them all, and nitro-cli's blobs into `blobsFolder`. */
export async function writeFiles(folder: string, blobsFolder: string): Promise<void> {
  writeBlobs(blobsFolder);
  writeSigner(folder);
  await writeImages(folder, blobsFolder);
}

/** The signer's key as KMS imports one: PKCS #8, DER. */
export function signersKey(folder: string): Uint8Array {
  const key = createPrivateKey(readFileSync(join(folder, 'signer.key'), 'utf8'));
  return key.export({ format: 'der', type: 'pkcs8' });
}
