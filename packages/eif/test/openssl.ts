import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs `openssl` in `folder`. */
export async function openssl(folder: string, ...args: readonly string[]): Promise<void> {
  await run('openssl', args, { cwd: folder });
}

/** SHA-384 of `bytes`, by openssl, lower-case hexadecimal. */
export async function opensslSha384(bytes: Uint8Array): Promise<string> {
  const child = run('openssl', ['dgst', '-sha384', '-r']);
  child.child.stdin?.end(bytes);
  const { stdout } = await child;
  return stdout.slice(0, 96);
}

/** A key and its self-signed certificate. */
export interface Signer {
  readonly key: string;
  readonly certificate: string;
}

/** Makes a self-signed certificate the documented way: `openssl req` and `openssl x509 -req -signkey`, or in one step (v3). */
export async function createSigner(folder: string, curve: string, version: 1 | 3): Promise<Signer> {
  const name = `${curve}-v${version}`;
  const [key, request, certificate] = [`${name}.key`, `${name}.csr`, `${name}.pem`];
  await openssl(folder, 'ecparam', '-name', curve, '-genkey', '-noout', '-out', key);
  const subject = '/C=US/ST=Washington/O=Example, Inc./CN=enclave signer';
  if (version === 3) {
    await openssl(
      folder,
      'req',
      '-new',
      '-x509',
      '-key',
      key,
      '-sha384',
      '-subj',
      subject,
      '-days',
      '20',
      '-out',
      certificate,
    );
  } else {
    await openssl(folder, 'req', '-new', '-key', key, '-sha384', '-subj', subject, '-out', request);
    await openssl(
      folder,
      'x509',
      '-req',
      '-days',
      '20',
      '-in',
      request,
      '-sha384',
      '-signkey',
      key,
      '-out',
      certificate,
    );
  }
  return {
    key: await readFile(join(folder, key), 'utf8'),
    certificate: await readFile(join(folder, certificate), 'utf8'),
  };
}
