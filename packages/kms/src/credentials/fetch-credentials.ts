import type { IncomingMessage } from 'node:http';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import type { AwsCredentialIdentity } from '@smithy/types';
import { withDeadline } from '../deadline.ts';
import { KmsTransportError } from '../error.ts';
import type { ConnectingTransport } from '../transport/request-handler.ts';

/** Where the parent's credential server is. */
export interface CredentialSource {
  readonly transport: ConnectingTransport;
  readonly cid: number;
  readonly port: number;
  readonly path: string;
  readonly token: string | undefined;
  /** Longest for the whole exchange, in ms. */
  readonly timeout: number;
}

/** An answer has some 1500 bytes: keys, a session token and a date. */
const MAX_ANSWER_BYTES = 65_536;

function unavailable(found: string, cause?: unknown): KmsTransportError {
  return new KmsTransportError(
    'CREDENTIALS_UNAVAILABLE',
    `expected credentials from the parent, found ${found}: is the credential server running there, on this port`,
    cause === undefined ? {} : { cause },
  );
}

function malformed(found: string): KmsTransportError {
  return new KmsTransportError(
    'CREDENTIALS_MALFORMED',
    `expected JSON with AccessKeyId, SecretAccessKey, Token and Expiration, found ${found}: is this port the credential server's`,
  );
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw malformed(`more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch {
    // The parser's words quote the text, which may be half a secret.
  }
  throw malformed('another text');
}

function field(answer: Record<string, unknown>, name: string): string {
  const value = answer[name];
  if (typeof value !== 'string' || value === '') throw malformed(`no ${name}`);
  return value;
}

/** The container-credentials form (AWS SDKs and Tools Reference Guide, "Container credential provider"). */
function readCredentials(body: string): AwsCredentialIdentity & { expiration: Date } {
  const answer = parse(body);
  const expiration = new Date(field(answer, 'Expiration'));
  if (Number.isNaN(expiration.getTime())) throw malformed('an Expiration that is no date');
  const { AccountId, Token } = answer;
  return {
    accessKeyId: field(answer, 'AccessKeyId'),
    secretAccessKey: field(answer, 'SecretAccessKey'),
    expiration,
    // Only credentials that never expire have no token.
    ...(Token === undefined ? {} : { sessionToken: field(answer, 'Token') }),
    ...(typeof AccountId === 'string' ? { accountId: AccountId } : {}),
  };
}

function expectOk(status: number | undefined): void {
  if (status === 200) return;
  if (status === 401 || status === 403)
    throw new KmsTransportError(
      'CREDENTIALS_REFUSED',
      `expected credentials from the parent, found a refusal (HTTP ${status}): compare the token, and the server's rules for this CID`,
    );
  throw unavailable(`HTTP ${status}`);
}

/** A connection that is there by the time it is wanted; one that comes later is closed. */
async function connect({ transport, cid, port, timeout }: CredentialSource, signal: AbortSignal): Promise<Socket> {
  const socket = await transport.connect({ cid, port, timeout, signal });
  if (!signal.aborted) return socket;
  socket.destroy();
  throw signal.reason;
}

/** One GET over a connection of its own: they are hours apart. */
async function exchange(source: CredentialSource, signal: AbortSignal): Promise<IncomingMessage> {
  const { path, token } = source;
  const socket = await connect(source, signal);
  const headers = { accept: 'application/json', ...(token === undefined ? {} : { authorization: token }) };
  try {
    const asked = request({ host: 'localhost', path, headers, signal, createConnection: () => socket });
    return await new Promise((resolve, reject) => asked.once('response', resolve).once('error', reject).end());
  } catch (error) {
    // A path that Node does not ask for leaves it open, and with nobody to hear of its errors.
    socket.destroy();
    throw error;
  }
}

/** What Node's parser could not read it attaches to its error: here it may hold the credentials. */
function withoutAnswer(error: unknown): unknown {
  if (error instanceof Error && 'rawPacket' in error) delete error.rawPacket;
  return error;
}

async function readResponse(response: IncomingMessage): Promise<AwsCredentialIdentity & { expiration: Date }> {
  try {
    expectOk(response.statusCode);
    return readCredentials(await readAnswer(response));
  } finally {
    response.destroy();
  }
}

/**
 * Asks the parent's credential server once.
 * @throws {KmsTransportError} `CREDENTIALS_UNAVAILABLE`, `CREDENTIALS_REFUSED`, `CREDENTIALS_MALFORMED`.
 */
export async function fetchCredentials(
  source: CredentialSource,
): Promise<AwsCredentialIdentity & { expiration: Date }> {
  try {
    return await withDeadline(source, async (signal) => readResponse(await exchange(source, signal)));
  } catch (error) {
    if (error instanceof KmsTransportError) throw error;
    throw unavailable('no answer', withoutAnswer(error));
  }
}
