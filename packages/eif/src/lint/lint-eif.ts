import type { CpioEntry } from '../cpio/entry.ts';
import { EifError } from '../error.ts';
import type { EifArchitecture } from '../format/header.ts';
import type { Platform } from '../platform.ts';
import type { ContentObserver, EifContents } from '../read/contents.ts';
import { readContents } from '../read/contents.ts';
import type { ReadEifOptions } from '../read/walk.ts';
import type { VerifySignatureOptions } from '../sign/verify-signature.ts';
import { verifyEifSignature } from '../sign/verify-signature.ts';
import type { OpenSource } from '../source.ts';
import { lintCmdline } from './cmdline.ts';
import type { EifFinding } from './finding.ts';
import { lintMetadata } from './metadata.ts';
import { lintRamdisk } from './ramdisk.ts';
import { SecretScanner, secretVariables } from './secrets.ts';

/** Where a kernel of each CPU has its magic: the x86 boot protocol's "HdrS", the arm64 image's "ARM\x64". */
const KERNEL_MAGIC: Readonly<Record<EifArchitecture, { readonly at: number; readonly text: string }>> = {
  x86_64: { at: 0x202, text: 'HdrS' },
  aarch64: { at: 0x38, text: 'ARMd' },
};

/** The files that hand the program's environment to init, and how each holds its variables: nitro-cli's, and ours. */
const ENVIRONMENT_FILES: ReadonlyMap<string, (text: string) => string[]> = new Map([
  ['env', (text: string) => text.split('\n')],
  [
    'app.conf',
    (text: string) => text.split('\0').flatMap((record) => (record.startsWith('env=') ? record.slice(4) : [])),
  ],
]);

/** Longest environment file that is read for its variables, in bytes. */
const MAX_ENVIRONMENT_BYTES = 65_536;

/** Watches the files' contents go by. */
class ContentLinter implements ContentObserver {
  readonly findings: EifFinding[] = [];
  kernel: Uint8Array = new Uint8Array(0);

  kernelStart(bytes: Uint8Array): void {
    this.kernel = bytes.slice(0, 4096);
  }

  file(entry: CpioEntry, ramdisk: number): (piece: Uint8Array | undefined) => void {
    const scanner = new SecretScanner();
    const environment: Uint8Array[] = [];
    const isEnvironment = ENVIRONMENT_FILES.has(entry.path) && entry.size <= MAX_ENVIRONMENT_BYTES;
    return (piece) => {
      if (piece === undefined) {
        this.#finish(entry, ramdisk, scanner.found, environment);
        return;
      }
      scanner.push(piece);
      if (isEnvironment) environment.push(piece.slice());
    };
  }

  #finish({ path }: CpioEntry, ramdisk: number, found: readonly string[], environment: readonly Uint8Array[]): void {
    for (const what of found) {
      const message = `the file holds ${what}, which everyone who has the image can read: leave it out, and change it`;
      this.findings.push({ rule: 'SECRET_CONTENT', severity: 'warning', message, path, ramdisk });
    }
    const text = environment.map((piece) => new TextDecoder().decode(piece)).join('');
    for (const name of secretVariables(ENVIRONMENT_FILES.get(path)?.(text) ?? [])) {
      const message = `everyone who has the image can read the value of ${name}: get it after the start, with attestation`;
      this.findings.push({ rule: 'SECRET_ENVIRONMENT', severity: 'warning', message, path, ramdisk });
    }
  }
}

function lintKernel(kernel: Uint8Array, { eif }: EifContents): EifFinding[] {
  const { architecture } = eif.header;
  const { at, text } = KERNEL_MAGIC[architecture];
  if (String.fromCharCode(...kernel.subarray(at, at + text.length)) === text) return [];
  const message = `the kernel does not look like one for ${architecture}: the image may not start`;
  return [{ rule: 'KERNEL_FORMAT', severity: 'warning', message }];
}

async function lintSignature({ eif }: EifContents, options: VerifySignatureOptions): Promise<EifFinding[]> {
  if (eif.signature === undefined) return [];
  try {
    await verifyEifSignature(eif, options);
    return [];
  } catch (error) {
    if (!(error instanceof EifError)) throw error;
    const message = `the signature does not hold (${error.code}), and the image will not start: ${error.message}`;
    return [{ rule: 'SIGNATURE_INVALID', severity: 'warning', message }];
  }
}

/** Reads an image and says what about it is worth a look, warnings first. */
export async function lintEifFrom(
  source: OpenSource,
  options: ReadEifOptions & VerifySignatureOptions & { readonly platform: Platform },
): Promise<EifFinding[]> {
  const observer = new ContentLinter();
  const contents = await readContents(source, { ...options, observer });
  const { cmdline, metadata } = contents.eif;
  const last = contents.ramdisks.length - 1;
  const findings = [
    ...observer.findings,
    ...contents.ramdisks.flatMap((ramdisk, index) => lintRamdisk(ramdisk, index === last)),
    ...lintCmdline(cmdline),
    ...(metadata === undefined ? [] : lintMetadata(metadata)),
    ...lintKernel(observer.kernel, contents),
    ...(await lintSignature(contents, options)),
  ];
  const bySeverity = (severity: EifFinding['severity']): EifFinding[] =>
    findings.filter((finding) => finding.severity === severity);
  return [...bySeverity('warning'), ...bySeverity('note')];
}
