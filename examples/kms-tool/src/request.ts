import { parseArgs } from 'node:util';

/** Exit codes: 1 when KMS or this tool refused, 2 when the command line is wrong. */
export const EXIT_REFUSED = 1;
export const EXIT_USAGE = 2;

export const USAGE = `usage: kms-tool decrypt   --ciphertext <base64> --key-id <key> [--encryption-algorithm <name>] [common]
       kms-tool genkey    --key-id <key> --key-spec <AES-256|AES-128> [common]
       kms-tool genrandom --length <1 to 1024> [common]
common: --region <region>               default: AWS_REGION, or us-east-1
        --proxy-port <port>             the parent's way to KMS; default 8000
        --credentials-port <port>       the parent's credential server; default 8001
        --encryption-context <name=value>   for decrypt and genkey; again for the next
        --allow-any-key                 decrypt without --key-id: the ciphertext chooses the key
        --allow-terminal                print secrets though the output is a terminal, such as the console
environment: CREDENTIALS_TOKEN          what the parent's credential server wants to hear
             AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN  in the place of that server
             KMS_TOOL_KEYS              ARNs with commas between them: the only keys whose answers are taken`;

/** The command line, or the environment, asks for what cannot be done. Its message repeats no value that was given. */
export class UsageError extends Error {}

/** What is asked of KMS. */
export type Operation =
  | {
      readonly command: 'decrypt';
      readonly ciphertext: Uint8Array;
      readonly keyId: string | undefined;
      readonly algorithm: Algorithm;
      readonly context: Context | undefined;
    }
  | {
      readonly command: 'genkey';
      readonly keyId: string;
      readonly keySpec: KeySpec;
      readonly context: Context | undefined;
    }
  | { readonly command: 'genrandom'; readonly length: number };

export type Context = Readonly<Record<string, string>>;
export type KeySpec = 'AES_256' | 'AES_128';
export type Algorithm = 'SYMMETRIC_DEFAULT' | 'RSAES_OAEP_SHA_1' | 'RSAES_OAEP_SHA_256';

/** Access keys out of the environment. */
export interface GivenCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A whole request: what, and by which way. */
export interface ToolRequest {
  readonly operation: Operation;
  readonly region: string;
  readonly proxyPort: number;
  readonly credentialsPort: number;
  readonly credentials: GivenCredentials | undefined;
  readonly credentialsToken: string | undefined;
  /** ARNs of the only keys whose answers are taken. */
  readonly keys: readonly string[] | undefined;
  readonly allowAnyKey: boolean;
}

/** Where a request comes from. */
export interface RequestSource {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether the output is a terminal. */
  readonly isTerminal: boolean;
}

const OPTIONS = {
  region: { type: 'string' },
  'proxy-port': { type: 'string', default: '8000' },
  'credentials-port': { type: 'string', default: '8001' },
  'encryption-context': { type: 'string', multiple: true },
  'allow-any-key': { type: 'boolean', default: false },
  'allow-terminal': { type: 'boolean', default: false },
  'aws-access-key-id': { type: 'string' },
  'aws-secret-access-key': { type: 'string' },
  'aws-session-token': { type: 'string' },
  ciphertext: { type: 'string' },
  'key-id': { type: 'string' },
  'key-spec': { type: 'string' },
  'encryption-algorithm': { type: 'string' },
  length: { type: 'string' },
} as const;

/** kmstool_enclave_cli takes them there, where every process of the enclave reads them in /proc. */
const SECRET_FLAGS = ['aws-access-key-id', 'aws-secret-access-key', 'aws-session-token'] as const;

/** Which options each command has of its own. */
const OPTIONS_OF: Readonly<Record<Operation['command'], readonly string[]>> = {
  decrypt: ['ciphertext', 'key-id', 'encryption-algorithm', 'encryption-context', 'allow-any-key'],
  genkey: ['key-id', 'key-spec', 'encryption-context'],
  genrandom: ['length'],
};
const EVERYWHERE = ['region', 'proxy-port', 'credentials-port', 'allow-terminal'];

const KEY_SPECS: ReadonlyMap<string, KeySpec> = new Map([
  ['AES-256', 'AES_256'],
  ['AES-128', 'AES_128'],
]);
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['SYMMETRIC_DEFAULT', 'SYMMETRIC_DEFAULT'],
  ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_1'],
  ['RSAES_OAEP_SHA_256', 'RSAES_OAEP_SHA_256'],
]);

/** KMS takes no longer ciphertexts (API Reference, Decrypt). */
const MAX_CIPHERTEXT_BYTES = 6144;
const MAX_RANDOM_BYTES = 1024;
const MAX_PORT = 0xffff_fffe;

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    // Node's sentences name the option, and its value never.
    throw new UsageError(error instanceof Error ? error.message : 'expected options');
  }
}

type Flags = ReturnType<typeof parse>['values'];

function expectNoSecrets(flags: Flags): void {
  const found = SECRET_FLAGS.filter((name) => flags[name] !== undefined).map((name) => `--${name}`);
  if (found.length === 0) return;
  throw new UsageError(
    `expected no secrets on the command line, which other processes and logs see, found ${found.join(', ')}: leave them out, and the parent's credential server is asked; or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN in the environment`,
  );
}

function commandOf(positionals: readonly string[]): Operation['command'] {
  const [command, ...more] = positionals;
  if (more.length > 0) throw new UsageError('expected one command, found words after it');
  if (command === 'decrypt' || command === 'genkey' || command === 'genrandom') return command;
  throw new UsageError('expected the command decrypt, genkey or genrandom');
}

function expectOptionsOf(command: Operation['command'], flags: Flags): void {
  const known = new Set([...OPTIONS_OF[command], ...EVERYWHERE]);
  for (const [name, value] of Object.entries(flags)) {
    if (value !== undefined && value !== false && !known.has(name))
      throw new UsageError(`--${name} is no option of ${command}`);
  }
}

function required(flags: Flags, name: 'ciphertext' | 'key-id' | 'key-spec' | 'length'): string {
  const value = flags[name];
  if (value === undefined || value === '') throw new UsageError(`expected --${name}`);
  return value;
}

function wholeNumber(text: string, name: string, most: number): number {
  const value = Number(text);
  if (/^\d{1,10}$/.test(text) && value >= 1 && value <= most) return value;
  throw new UsageError(`expected --${name} to be a number from 1 to ${most}`);
}

function readCiphertext(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  const isCanonical = bytes.toString('base64') === text;
  if (isCanonical && bytes.length > 0 && bytes.length <= MAX_CIPHERTEXT_BYTES) return bytes;
  throw new UsageError(`expected --ciphertext to be base64 of 1 to ${MAX_CIPHERTEXT_BYTES} bytes`);
}

function choice<Value>(table: ReadonlyMap<string, Value>, text: string, name: string): Value {
  const value = table.get(text);
  if (value !== undefined) return value;
  throw new UsageError(`expected --${name} to be ${[...table.keys()].join(' or ')}`);
}

function readContext(pairs: readonly string[] | undefined): Context | undefined {
  if (pairs === undefined) return undefined;
  const context = new Map<string, string>();
  for (const pair of pairs) {
    const split = pair.indexOf('=');
    const name = pair.slice(0, split);
    if (split < 1 || context.has(name))
      throw new UsageError('expected each --encryption-context as name=value, and every name once');
    context.set(name, pair.slice(split + 1));
  }
  return Object.fromEntries(context);
}

function operationOf(command: Operation['command'], flags: Flags): Operation {
  const context = readContext(flags['encryption-context']);
  switch (command) {
    case 'decrypt': {
      const algorithm = choice(
        ALGORITHMS,
        flags['encryption-algorithm'] ?? 'SYMMETRIC_DEFAULT',
        'encryption-algorithm',
      );
      const ciphertext = readCiphertext(required(flags, 'ciphertext'));
      return { command, ciphertext, algorithm, keyId: flags['key-id'], context };
    }
    case 'genkey': {
      const keySpec = choice(KEY_SPECS, required(flags, 'key-spec'), 'key-spec');
      return { command, keySpec, keyId: required(flags, 'key-id'), context };
    }
    case 'genrandom':
      return { command, length: wholeNumber(required(flags, 'length'), 'length', MAX_RANDOM_BYTES) };
  }
}

function credentialsIn(env: RequestSource['env']): GivenCredentials | undefined {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = env;
  if (!accessKeyId && !secretAccessKey) return undefined;
  if (!accessKeyId || !secretAccessKey)
    throw new UsageError('expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY together, found one of them');
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

/**
 * Reads the command line of kmstool_enclave_cli, and what is new here.
 * @throws {UsageError}
 */
export function readRequest({ args, env, isTerminal }: RequestSource): ToolRequest {
  const { values: flags, positionals } = parse(args);
  expectNoSecrets(flags);
  const command = commandOf(positionals);
  expectOptionsOf(command, flags);
  if (isTerminal && !flags['allow-terminal'])
    throw new UsageError(
      'expected the output in a pipe or a file, found a terminal, which logs what it shows: see --allow-terminal',
    );
  return {
    operation: operationOf(command, flags),
    region: flags.region ?? env['AWS_REGION'] ?? 'us-east-1',
    proxyPort: wholeNumber(flags['proxy-port'], 'proxy-port', MAX_PORT),
    credentialsPort: wholeNumber(flags['credentials-port'], 'credentials-port', MAX_PORT),
    credentials: credentialsIn(env),
    credentialsToken: env['CREDENTIALS_TOKEN'],
    keys: env['KMS_TOOL_KEYS']?.split(',').filter(Boolean),
    allowAnyKey: flags['allow-any-key'],
  };
}
