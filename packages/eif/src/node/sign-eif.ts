import type { KeyObject } from 'node:crypto';
import { createPrivateKey, sign } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { fail } from '../error.ts';
import { pcr8FromCertificate } from '../pcr/pcr.ts';
import type { Eif, EifPcrs } from '../read/read-eif.ts';
import type { EifSection, ReadEifOptions } from '../read/walk.ts';
import { walkEif } from '../read/walk.ts';
import type { EifSigner } from '../sign/create-signature.ts';
import { createSignature } from '../sign/create-signature.ts';
import { withSource } from './file-source.ts';
import { nodePlatform } from './platform.ts';
import { readEif } from './read-eif.ts';
import { EifWriter } from './writer.ts';

/** Options of {@link signEif}. */
export interface SignEifOptions extends ReadEifOptions {
  /** The certificate of the signing key, PEM. It is embedded as it is, and its DER makes PCR8. */
  readonly certificate: string | Uint8Array;
  /**
   * The private key: PEM of a P-256, P-384 or P-521 key, or a function that signs with a key that stays elsewhere, such as
   * in KMS.
   */
  readonly key: string | KeyObject | EifSigner;
  /** Where the signed image goes. Default: in the place of the unsigned one. */
  readonly output?: string;
  /** When the certificate has to be valid. Default: now. */
  readonly at?: Date;
}

/** First version of the format that has signatures. */
const SIGNATURES_SINCE = 3;

/** OpenSSL's names of what goes with each algorithm. */
const OPENSSL_NAMES = {
  ES256: { curve: 'prime256v1', hash: 'sha256' },
  ES384: { curve: 'secp384r1', hash: 'sha384' },
  ES512: { curve: 'secp521r1', hash: 'sha512' },
} as const;

function readKey(key: string | KeyObject): KeyObject {
  let privateKey: KeyObject;
  try {
    privateKey = typeof key === 'string' ? createPrivateKey(key) : key;
  } catch (cause) {
    return fail('EIF_SIGNING_KEY', 'expected a private key in PEM, without a passphrase', { cause });
  }
  if (privateKey.type === 'private' && privateKey.asymmetricKeyType === 'ec') return privateKey;
  const found = privateKey.asymmetricKeyType ?? privateKey.type;
  return fail('EIF_SIGNING_KEY', `expected a private key on P-256, P-384 or P-521, found ${found}`);
}

/** A signer that holds the key itself. */
export function localSigner(key: string | KeyObject): EifSigner {
  const privateKey = readKey(key);
  return ({ algorithm, message }) => {
    const { curve, hash } = OPENSSL_NAMES[algorithm];
    const found = privateKey.asymmetricKeyDetails?.namedCurve;
    if (found !== curve) {
      fail('EIF_SIGNING_KEY_MISMATCH', `expected a key on ${curve}, as the certificate's is, found one on ${found}`);
    }
    return sign(hash, message, { key: privateKey, dsaEncoding: 'der' });
  };
}

/** Copies the image's sections but its signature, and appends `signature`. */
async function writeSigned(path: string, eif: Eif, signature: Uint8Array, options: SignEifOptions): Promise<void> {
  const { output = path, signal, onProgress } = options;
  const { architecture, version, defaultMemory, defaultCpus } = eif.header;
  const { mode } = await stat(path);
  const stop = signal === undefined ? {} : { signal };
  const writerOptions = { architecture, version, defaultMemory, defaultCpus, mode: mode & 0o777, ...stop };
  await using writer = await EifWriter.create(output, writerOptions);
  const visit = async ({ type }: EifSection, data: AsyncIterable<Uint8Array>): Promise<void> => {
    if (type !== 'signature') await writer.section(type, data);
  };
  const walkOptions = { platform: nodePlatform, visit, ...stop, ...(onProgress === undefined ? {} : { onProgress }) };
  await withSource(path, (opened) => walkEif(opened, walkOptions));
  // Between the two passes somebody may have put another image here, which nobody asked to sign.
  if ((await writer.pcrs()).PCR0 !== eif.pcrs.PCR0)
    fail('EIF_SOURCE_CHANGED', `expected the same image at ${path} throughout`);
  await writer.section('signature', signature);
  await writer.finish();
}

/**
 * Signs the image at `path`, or signs it again: a signature that is there is replaced. The image keeps its PCR0, PCR1 and
 * PCR2; PCR8 becomes that of the certificate. The signed image appears whole or not at all.
 * @throws {EifError} as `readEif`; `EIF_CERTIFICATE_…`; `EIF_SIGNING_KEY`; `EIF_SIGNING_KEY_MISMATCH` when the key is not
 * the certificate's; `EIF_SECTION_TYPE_VERSION` for an image of version 2, which has no signatures; `EIF_SOURCE_CHANGED`.
 */
export async function signEif(path: string, options: SignEifOptions): Promise<EifPcrs> {
  const { certificate, key, at, signal } = options;
  const stop = signal === undefined ? {} : { signal };
  const signer = typeof key === 'function' ? key : localSigner(key);
  const eif = await readEif(path, stop);
  if (eif.header.version < SIGNATURES_SINCE) {
    fail(
      'EIF_SECTION_TYPE_VERSION',
      `expected an image of version ${SIGNATURES_SINCE} or 4, found ${eif.header.version}`,
    );
  }
  const signature = await createSignature(eif.pcrs, {
    certificate,
    signer,
    ...stop,
    ...(at === undefined ? {} : { at }),
  });
  await writeSigned(path, eif, signature, options);
  return { ...eif.pcrs, PCR8: pcr8FromCertificate(certificate) };
}
