import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  allowAnyAge,
  allowAnyImage,
  allowDebugMode,
  allowKmsRecipientDocument,
  customTrustAnchor,
} from '@nitro-enclaves/attestation';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { collect } from '../repeatable.ts';
import { BYTES_NOTATION, parseBytes } from './bytes-notation.ts';
import type { PolicyDraft } from './policy-file.ts';
import { readMeasurements, readPolicyFile } from './policy-file.ts';

/** The policy options of a command line, parsed. */
export interface PolicyFlags {
  readonly policy?: string;
  readonly measurements?: readonly string[];
  readonly pcr?: Readonly<Record<number, string>>;
  readonly kind?: string;
  readonly nonce?: Uint8Array;
  readonly maxAge?: number;
  readonly clockSkew?: number;
  readonly instanceId?: string;
  readonly roleArn?: string;
  readonly region?: readonly string[];
  readonly allPcrsLocked?: true;
  readonly publicKey?: Uint8Array;
  readonly userData?: Uint8Array;
  readonly refuseUnknownFields?: true;
  readonly trustAnchor?: string;
  readonly allowAnyImage?: true;
  readonly allowAnyAge?: true;
  readonly allowDebugMode?: true;
  readonly allowKmsRecipientDocument?: true;
}

/** How far a clock may be behind when a maximum age is given without a skew. */
const DEFAULT_CLOCK_SKEW_MS = 5000;

const UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

function parseDuration(text: string): number {
  const [, digits, unit = ''] = text.match(/^(\d{1,9})(ms|s|m|h|d)$/) ?? [];
  const factor = UNITS.get(unit);
  if (digits === undefined || factor === undefined) throw new InvalidArgumentError('expected a time such as 90s or 5m');
  return Number(digits) * factor;
}

function parseBytesOption(text: string): Uint8Array {
  try {
    return parseBytes(text);
  } catch {
    throw new InvalidArgumentError(`expected bytes as ${BYTES_NOTATION}`);
  }
}

function collectPcr(text: string, previous: Readonly<Record<number, string>> = {}): Record<number, string> {
  const [, index, value] = text.match(/^(\d{1,2})=([0-9a-fA-F]{96})$/) ?? [];
  if (index === undefined || value === undefined) {
    throw new InvalidArgumentError('expected <index>=<96 hexadecimal digits>, such as 0=ab12…');
  }
  // The last one would win, and the others count for nothing.
  if (Object.hasOwn(previous, Number(index))) {
    throw new InvalidArgumentError(`PCR${Number(index)} is there already; several images go into a policy file`);
  }
  return { ...previous, [Number(index)]: value };
}

/** Adds the options that make a policy. */
export function addPolicyOptions(command: Command): Command {
  return command
    .option('--policy <file>', 'JSON file with the options of a policy; the options below add to it')
    .option('--measurements <file>', 'JSON output of nitro-cli or eif measure: an allowed image (repeatable)', collect)
    .option(
      '--pcr <index=hex>',
      'PCR0, PCR1 and PCR2 are one allowed image, others must have the value (repeatable)',
      collectPcr,
    )
    .addOption(new Option('--kind <kind>', 'what issued the document').choices(['enclave', 'nitrotpm']))
    .addOption(
      new Option('--nonce <bytes>', `the challenge that the document must answer: ${BYTES_NOTATION}`)
        .argParser(parseBytesOption)
        .conflicts('maxAge'),
    )
    .option('--max-age <time>', 'the greatest age, such as 5m', parseDuration)
    .option(
      '--clock-skew <time>',
      'how far ahead of the clock a document may be (default: 5s with --max-age, 60s with --nonce)',
      parseDuration,
    )
    .option('--instance-id <id>', 'the parent instance (PCR4)')
    .option('--role-arn <arn>', "the parent instance's IAM role (PCR3)")
    .option('--region <region>', 'an allowed AWS region (repeatable)', collect)
    .option('--all-pcrs-locked', 'all 32 PCRs must be locked')
    .option('--public-key <bytes>', `the public key: ${BYTES_NOTATION}`, parseBytesOption)
    .option('--user-data <bytes>', `the user data: ${BYTES_NOTATION}`, parseBytesOption)
    .option('--refuse-unknown-fields', 'refuse fields that this version does not know')
    .option('--trust-anchor <file>', 'INSECURE: trust this root (PEM or DER) instead of AWS, such as an emulator')
    .option('--allow-any-image', 'INSECURE: accept any image')
    .option('--allow-any-age', 'INSECURE: accept replayed documents for as long as their certificates are valid')
    .option('--allow-debug-mode', 'INSECURE: accept enclaves in debug mode')
    .option('--allow-kms-recipient-document', 'INSECURE: accept documents that were made for KMS');
}

async function readTrustAnchor(file: string, cwd: string): Promise<Uint8Array> {
  const content = await readFile(resolve(cwd, file));
  const pem = content
    .toString('latin1')
    .match(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/);
  return new Uint8Array(pem?.[1] === undefined ? content : Buffer.from(pem[1], 'base64'));
}

/** The registers that tell an image from another; the others are requirements of their own. */
function splitPcrs(
  pcr: Readonly<Record<number, string>>,
  kind: unknown,
): { image: Record<string, string>; others: Record<string, string> } {
  const imageIndexes = kind === 'nitrotpm' ? ['4'] : ['0', '1', '2'];
  const entries = Object.entries(pcr);
  return {
    image: Object.fromEntries(entries.filter(([index]) => imageIndexes.includes(index))),
    others: Object.fromEntries(entries.filter(([index]) => !imageIndexes.includes(index))),
  };
}

/** The freshness rule; a skew alone is added to that of the file. What makes no rule the verifier refuses. */
function freshnessOf({ nonce, maxAge, clockSkew }: PolicyFlags, inFile: unknown): unknown {
  const skew = clockSkew !== undefined && { clockSkew };
  if (nonce !== undefined) return { nonce, ...skew };
  if (maxAge !== undefined) return { maxAge, clockSkew: DEFAULT_CLOCK_SKEW_MS, ...skew };
  return skew ? { ...Object(inFile), ...skew } : inFile;
}

/** The images of the file and those of the flags; what is no list stays for the verifier to refuse. */
function addImages(inFile: unknown, images: readonly unknown[]): unknown {
  if (images.length === 0) return inFile;
  if (inFile === undefined) return images;
  return Array.isArray(inFile) ? [...inFile, ...images] : inFile;
}

/** Builds the policy that a command line asks for; whether it is complete, the verifier says. */
export async function readPolicy(flags: PolicyFlags, cwd: string): Promise<PolicyDraft> {
  const file = flags.policy === undefined ? {} : await readPolicyFile(flags.policy, cwd);
  const kind = flags.kind ?? file['kind'];
  const { image, others } = splitPcrs(flags.pcr ?? {}, kind);
  const images = [
    ...(await Promise.all((flags.measurements ?? []).map((measurements) => readMeasurements(measurements, cwd)))),
    ...(Object.keys(image).length > 0 ? [{ pcrs: image }] : []),
  ];
  const draft: PolicyDraft = {
    ...file,
    images: addImages(file['images'], images),
    pcrs: Object.keys(others).length > 0 ? { ...Object(file['pcrs']), ...others } : file['pcrs'],
    freshness: freshnessOf(flags, file['freshness']),
    kind,
    instanceId: flags.instanceId ?? file['instanceId'],
    roleArn: flags.roleArn ?? file['roleArn'],
    regions: flags.region ?? file['regions'],
    allPcrsLocked: flags.allPcrsLocked ?? file['allPcrsLocked'],
    publicKey: flags.publicKey ?? file['publicKey'],
    userData: flags.userData ?? file['userData'],
    refuseUnknownFields: flags.refuseUnknownFields ?? file['refuseUnknownFields'],
    [allowAnyImage]: flags.allowAnyImage ?? file[allowAnyImage],
    [allowAnyAge]: flags.allowAnyAge ?? file[allowAnyAge],
    [allowDebugMode]: flags.allowDebugMode ?? file[allowDebugMode],
    [allowKmsRecipientDocument]: flags.allowKmsRecipientDocument ?? file[allowKmsRecipientDocument],
    [customTrustAnchor]:
      flags.trustAnchor === undefined ? file[customTrustAnchor] : await readTrustAnchor(flags.trustAnchor, cwd),
  };
  return withoutUndefined(draft);
}

/** Leaves out the options that nothing was said of: the verifier takes an option without a value for a mistake. */
function withoutUndefined(draft: PolicyDraft): PolicyDraft {
  return Object.fromEntries(
    Reflect.ownKeys(draft).flatMap((key) => (draft[key] === undefined ? [] : [[key, draft[key]] as const])),
  );
}
