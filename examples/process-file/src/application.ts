import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import { KMS, KMSServiceException } from '@aws-sdk/client-kms';
import { NitroEnclavesError } from '@nitro-enclaves/core';
import type { Enclave } from '@nitro-enclaves/emulator/enclave';
import {
  type DataEncryption,
  dataEncryption,
  kmsRequestHandler,
  parentCredentials,
  recipient,
} from '@nitro-enclaves/kms';
import type { VsockSocket } from '@nitro-enclaves/vsock';
import { readHead, textField, writeHead } from './frames.ts';
import { PaymentLedger } from './payments.ts';

/** vsock port of the enclave on which files are taken. */
export const APPLICATION_PORT = 5000;
/** What the input has to be for; what the result is for. */
export const INPUT_CONTEXT = { purpose: 'payments' };
export const RESULT_CONTEXT = { purpose: 'payments-summary' };

const HEAD_TIMEOUT_MS = 10_000;

/** What the image says about its keys: part of the environment that is measured with it. */
export interface ApplicationConfig {
  readonly region: string;
  /** ARN of the KMS key under which inputs come. */
  readonly inputKey: string;
  /** ARN of the KMS key under which results go. */
  readonly resultKey: string;
  /** What the parent's credential server wants to hear. */
  readonly credentialsToken: string;
  /** Authority (PEM) that KMS's certificate has to be of. Default: the public ones. */
  readonly kmsAuthority?: string;
}

/** Takes the configuration from the environment. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): ApplicationConfig {
  const field = (name: string) => {
    const value = env[name];
    if (value === undefined || value === '') throw new Error(`expected the image to set ${name}`);
    return value;
  };
  const { KMS_AUTHORITY_BASE64: authority } = env;
  return {
    ...(authority === undefined ? {} : { kmsAuthority: Buffer.from(authority, 'base64').toString('utf8') }),
    region: field('AWS_REGION'),
    inputKey: field('INPUT_KEY_ARN'),
    resultKey: field('RESULT_KEY_ARN'),
    credentialsToken: field('CREDENTIALS_TOKEN'),
  };
}

/** Reads files of payments and gives their summaries, signed, sealed and attested. */
export class Application {
  readonly #enclave: Enclave;
  readonly #input: DataEncryption;
  readonly #result: DataEncryption;
  /** Made anew at each start, known to nobody else; each document vouches for its public half. */
  readonly #signingKey: KeyObject;
  readonly #publicKey: Buffer;

  constructor(enclave: Enclave, config: ApplicationConfig) {
    this.#enclave = enclave;
    const { nsm, transport, kms: place } = enclave;
    const pinned = config.kmsAuthority === undefined ? {} : { ca: config.kmsAuthority };
    const client = new KMS({
      region: config.region,
      credentials: parentCredentials({ transport, token: config.credentialsToken }),
      requestHandler: kmsRequestHandler({ transport, ...pinned, ...place }),
    });
    client.middlewareStack.use(recipient({ attest: (request) => nsm.attestation(request), correctClockOf: client }));
    this.#input = dataEncryption({ client, keyArn: config.inputKey });
    this.#result = dataEncryption({ client, keyArn: config.resultKey });
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#signingKey = privateKey;
    this.#publicKey = publicKey.export({ format: 'der', type: 'spki' });
  }

  /** Serves until the process ends. */
  async listen(): Promise<void> {
    const server = this.#enclave.transport.createServer({ allowHalfOpen: true, maxConnections: 8 }, (socket) => {
      socket.on('error', () => undefined);
      this.#serve(socket).catch((error: unknown) => refuse(socket, error));
    });
    await server.listen({ port: APPLICATION_PORT });
  }

  async #serve(socket: VsockSocket): Promise<void> {
    const head = await readHead(socket, HEAD_TIMEOUT_MS);
    const nonce = Buffer.from(textField(head, 'nonce'), 'base64');
    const summary = await this.#summarize(socket);
    const statement = Buffer.from(JSON.stringify(summary));
    const signature = sign('sha256', statement, this.#signingKey);
    const message = await this.#result.encrypt(statement, { context: RESULT_CONTEXT });
    // The document binds this result, this key and the caller's nonce to this image: none of them can be exchanged.
    const userData = createHash('sha256').update(message).digest();
    const document = await this.#enclave.nsm.attestation({ publicKey: this.#publicKey, userData, nonce });
    writeHead(socket, { document: Buffer.from(document).toString('base64'), signature: signature.toString('base64') });
    socket.end(message);
  }

  /** The plaintext passes through as a stream; nothing of a message that was cut off or changed leads to a result. */
  async #summarize(socket: VsockSocket): Promise<object> {
    const ledger = new PaymentLedger();
    const decoder = new StringDecoder('utf8');
    const plaintext = this.#input.decryptStream({ context: INPUT_CONTEXT });
    socket.once('close', () => plaintext.destroy(new Error('the connection was lost')));
    // Not `pipeline`, which would close the connection before it could be told why.
    for await (const piece of socket.pipe(plaintext)) ledger.take(decoder.write(piece));
    ledger.take(decoder.end());
    return ledger.finish();
  }
}

/** What the other side may know: our own codes, and KMS's. */
function codeOf(error: unknown): string {
  if (error instanceof NitroEnclavesError) return error.code;
  return error instanceof KMSServiceException ? error.name : 'FAILED';
}

function refuse(socket: VsockSocket, error: unknown): void {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined;
  console.error(`refused: ${code} ${message}${cause === undefined ? '' : ` (${cause})`}`);
  if (socket.destroyed) return;
  writeHead(socket, { error: { code, message, cause } });
  socket.end();
}
