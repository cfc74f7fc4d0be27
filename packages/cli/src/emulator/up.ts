import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EmulatedKms, Emulator, EmulatorKmsOptions, EmulatorOptions, Faults } from '@nitro-enclaves/emulator';
import type { CommandContext } from '../command-context.ts';
import { pathOf, writeJson, writeLines } from '../output.ts';
import type { FolderOption } from './folder-option.ts';
import { folderOf } from './folder-option.ts';

/** Options of `emulator up`. */
export interface UpOptions extends FolderOption {
  readonly seed?: string;
  readonly region?: string;
  readonly instanceId?: string;
  readonly roleArn?: string;
  readonly key?: readonly string[];
  readonly kmsStore?: string;
  readonly faults?: string;
  readonly kms: boolean;
  readonly namespaces: boolean;
  readonly json?: boolean;
}

/** `alias/orders` or `alias/orders=policy.json`. */
async function readKey(text: string, context: CommandContext): Promise<{ alias: string; policy?: string }> {
  // The name of a file may have `=` in it.
  const [name = '', ...file] = text.split('=');
  const policyFile = file.length === 0 ? undefined : file.join('=');
  const alias = name.startsWith('alias/') ? name : `alias/${name}`;
  if (policyFile === undefined) return { alias };
  return { alias, policy: await readFile(pathOf(context, policyFile), 'utf8') };
}

async function kmsOptions(options: UpOptions, context: CommandContext): Promise<EmulatorKmsOptions | false> {
  if (!options.kms) return false;
  const keys = await Promise.all((options.key ?? []).map((key) => readKey(key, context)));
  const { kmsStore } = options;
  return { keys, ...(kmsStore !== undefined && { store: { file: pathOf(context, kmsStore) } }) };
}

async function readFaultFile(path: string, context: CommandContext): Promise<Faults> {
  const { EmulatorError, readFaults } = await import('@nitro-enclaves/emulator');
  const text = await readFile(pathOf(context, path), 'utf8');
  try {
    return readFaults(JSON.parse(text));
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new EmulatorError('EMULATOR_ARGUMENT', `expected JSON in ${path}`, { cause });
  }
}

async function emulatorOptions(options: UpOptions, context: CommandContext): Promise<EmulatorOptions> {
  const { seed, region, instanceId, roleArn, namespaces, faults } = options;
  return {
    folder: folderOf(options, context),
    seed,
    region,
    instanceId,
    roleArn,
    namespaces,
    kms: await kmsOptions(options, context),
    faults: faults === undefined ? {} : await readFaultFile(faults, context),
    onWarning: (warning) => context.stderr.write(`warning: ${warning}\n`),
  };
}

/** DER as PEM (RFC 7468). */
function toPem(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** Where an emulator is, for programs and people who use it. */
interface Account {
  readonly folder: string;
  readonly instanceId: string;
  /** File with the root of its attestation documents, PEM. */
  readonly rootCertificate: string;
  readonly kms: KmsAccount | null;
}

interface KmsAccount {
  readonly endpoint: string;
  /** File with the certificate of its authority, PEM. */
  readonly ca: string;
  readonly region: string;
  readonly accountId: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

async function writeKmsAccount(
  { endpoint, ca, region, accountId, credentials }: EmulatedKms,
  folder: string,
): Promise<KmsAccount> {
  const file = join(folder, 'kms-ca.pem');
  await writeFile(file, ca);
  const { accessKeyId, secretAccessKey } = credentials;
  return { endpoint, ca: file, region, accountId, accessKeyId, secretAccessKey };
}

async function writeAccount({ folder, instanceId, rootCertificate, kms }: Emulator): Promise<Account> {
  const file = join(folder, 'root.pem');
  await writeFile(file, toPem(rootCertificate));
  return { folder, instanceId, rootCertificate: file, kms: kms ? await writeKmsAccount(kms, folder) : null };
}

/** A word of a shell that stands for `text`, whatever is in it. */
function quote(text: string): string {
  return /^[\w/.:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function describe({ folder, instanceId, rootCertificate, kms }: Account): string[] {
  const lines = [
    `emulator in   ${folder}`,
    `instance      ${instanceId}`,
    `root          ${rootCertificate} (of its attestation documents; nobody else trusts it)`,
  ];
  if (kms === null) return lines;
  return [
    ...lines,
    `KMS           ${kms.endpoint} (account ${kms.accountId}; enclaves reach it through port 8000 of their parent)`,
    'For the AWS CLI and SDKs on this machine; these credentials are worth nothing elsewhere:',
    `  export AWS_ENDPOINT_URL_KMS=${kms.endpoint} AWS_CA_BUNDLE=${quote(kms.ca)} AWS_REGION=${kms.region}`,
    `  export AWS_ACCESS_KEY_ID=${kms.accessKeyId} AWS_SECRET_ACCESS_KEY=${kms.secretAccessKey}`,
  ];
}

/** `emulator up`: runs an emulator until the command is told to stop. */
export async function upCommand(options: UpOptions, context: CommandContext): Promise<void> {
  const { startControlServer, startEmulator } = await import('@nitro-enclaves/emulator');
  await using emulator = await startEmulator(await emulatorOptions(options, context));
  const account = await writeAccount(emulator);
  const control = await startControlServer(emulator);
  if (options.json) writeJson(context, account);
  else writeLines(context, describe(account));
  context.stderr.write('The emulator is up; Ctrl-C ends it with all its enclaves.\n');
  if (!context.signal.aborted) await once(context.signal, 'abort');
  await control.close();
}
