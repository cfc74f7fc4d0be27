import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Transport, VsockAddress, VsockServer } from '@nitro-enclaves/vsock';
import { isVsockSocket } from '@nitro-enclaves/vsock';
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types';
import { sharedFairly } from '../proxy/connection-count.ts';
import { instanceCredentials } from './instance-credentials.ts';
import type { RateLimit } from './rate-limit.ts';
import { RateLimiter } from './rate-limit.ts';

/** Port on which enclaves expect credentials, unless told otherwise. */
export const CREDENTIALS_PORT = 8001;

/** Serves credentials that never expire, such as an IAM user's. Whoever reads them once has them for good. */
export const allowLongTermCredentials: unique symbol = Symbol('allowLongTermCredentials');

/** Which enclave gets which credentials. */
export interface CredentialGrant {
  /** The enclave's CID; `any`: every enclave of this instance that has the token. */
  readonly cid: number | 'any';
  /** What the enclave sends as `Authorization`: at least 16 characters. Keeps other enclaves of this instance out. */
  readonly token: string;
  /** Default: the server's. Give a provider that assumes another role for a role of the enclave's own. */
  readonly credentials?: AwsCredentialIdentityProvider;
}

/** What the server tells of a request: never a secret, never a token. */
export interface CredentialServed {
  readonly cid: number;
  readonly status: 200 | 401 | 403 | 404 | 405 | 429 | 503;
  /** Why it was refused, or when what was served expires. */
  readonly detail: string;
}

/** Options of {@link startCredentialServer}. */
export interface CredentialServerOptions {
  readonly transport: Transport;
  readonly grants: readonly CredentialGrant[];
  /** Default 8001. */
  readonly port?: number;
  /** Default: the instance's own role, by the AWS SDK's default chain with IMDSv2 only. */
  readonly credentials?: AwsCredentialIdentityProvider;
  /** For each CID. Default 10 requests in 60 000 ms: an enclave asks every few hours. */
  readonly rateLimit?: RateLimit;
  readonly onRequest?: (served: CredentialServed) => void;
  readonly signal?: AbortSignal;
  /** @deprecated Greppable opt-in: see {@link allowLongTermCredentials}. */
  readonly [allowLongTermCredentials]?: true;
}

/** What is shorter could be guessed by another enclave of the instance. */
export const MIN_TOKEN_LENGTH = 16;
const DEFAULT_RATE: RateLimit = { requests: 10, intervalMs: 60_000 };
/** How long an enclave keeps long-term credentials before it asks again, in ms. */
const LONG_TERM_REFRESH_MS = 3_600_000;

type Answer = CredentialServed & { readonly body: Record<string, string> };

/** What clients of the container-credentials form understand of a refusal. */
function refusal(cid: number, status: Exclude<CredentialServed['status'], 200>, detail: string): Answer {
  return { cid, status, detail, body: { code: String(status), message: detail } };
}

/** Of equal length by hashing, so that the time of the comparison tells nothing of the token. */
function isToken(found: string, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(found), digest(expected));
}

function expectGrants(grants: readonly CredentialGrant[]): void {
  if (grants.length === 0)
    throw new RangeError('expected at least one grant, found none: nobody would get credentials');
  for (const { cid, token } of grants) {
    if (cid !== 'any' && !(Number.isInteger(cid) && cid > 3 && cid < 0xffff_ffff))
      throw new RangeError(`expected a grant's cid to be an enclave's (4 to 4294967294) or 'any', found ${cid}`);
    if (token.length < MIN_TOKEN_LENGTH)
      throw new RangeError(`expected a token of at least ${MIN_TOKEN_LENGTH} characters, found ${token.length}`);
  }
}

/** Serves credentials to enclaves in the form in which containers get theirs. */
export class CredentialServer {
  readonly #options: CredentialServerOptions;
  readonly #ownCredentials: AwsCredentialIdentityProvider;
  readonly #limiter: RateLimiter;
  readonly #http: Server;
  readonly #server: VsockServer;

  /** See {@link startCredentialServer}. */
  constructor(options: CredentialServerOptions) {
    expectGrants(options.grants);
    this.#options = options;
    this.#ownCredentials = options.credentials ?? instanceCredentials();
    this.#limiter = new RateLimiter(options.rateLimit ?? DEFAULT_RATE);
    this.#http = createServer({ requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 1000 });
    this.#http.on('request', (request, response) => this.#answer(request, response));
    // Node looks for overdue connections only of servers that listen themselves.
    const serve = sharedFairly((socket) => {
      socket.setTimeout(15_000, () => socket.destroy());
      this.#http.emit('connection', socket);
    });
    this.#server = options.transport.createServer({ allowHalfOpen: true }, serve);
  }

  async listen(): Promise<void> {
    const { port = CREDENTIALS_PORT, signal } = this.#options;
    await this.#server.listen({ port, signal });
  }

  /** The CID and port listened on. */
  address(): VsockAddress | null {
    return this.#server.address();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.drain({ timeout: 1000 });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const cid = isVsockSocket(request.socket) ? request.socket.remoteCid : -1;
    const { body, ...served } = await this.#decide(cid, request);
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
    response.writeHead(served.status, headers).end(JSON.stringify(body));
    this.#options.onRequest?.(served);
  }

  async #decide(cid: number, { method, headers }: IncomingMessage): Promise<Answer> {
    if (method !== 'GET') return refusal(cid, 405, 'only GET is served');
    if (!this.#limiter.allows(cid)) return refusal(cid, 429, 'too many requests');
    const grants = this.#options.grants.filter((grant) => grant.cid === 'any' || grant.cid === cid);
    if (grants.length === 0) return refusal(cid, 403, `no grant for CID ${cid}`);
    const granted = grants.filter(({ token }) => isToken(headers.authorization ?? '', token))[0];
    if (granted === undefined) return refusal(cid, 401, 'the token is not the one granted');
    return this.#serve(cid, granted.credentials ?? this.#ownCredentials);
  }

  async #serve(cid: number, provider: AwsCredentialIdentityProvider): Promise<Answer> {
    let credentials: AwsCredentialIdentity;
    try {
      credentials = await provider();
    } catch {
      // The chain's own words may hold paths and account names; they are the operator's, on this side.
      return refusal(
        cid,
        503,
        'this instance has no credentials to serve: has it a role, and IMDSv2 a hop limit of 1 or more',
      );
    }
    const expiration = this.#expirationOf(credentials);
    if (expiration === undefined)
      return refusal(cid, 503, 'the credentials at hand never expire, so they are not served');
    const { accessKeyId, secretAccessKey, sessionToken, accountId } = credentials;
    const body = {
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      Expiration: expiration.toISOString(),
      ...(sessionToken === undefined ? {} : { Token: sessionToken }),
      ...(accountId === undefined ? {} : { AccountId: accountId }),
    };
    return { cid, status: 200, detail: `expires ${body.Expiration}`, body };
  }

  #expirationOf({ expiration }: AwsCredentialIdentity): Date | undefined {
    if (expiration !== undefined) return expiration;
    return this.#options[allowLongTermCredentials] ? new Date(Date.now() + LONG_TERM_REFRESH_MS) : undefined;
  }
}

/**
 * Serves this instance's credentials to its enclaves over the transport, each to the CIDs and tokens it was granted to.
 * Source: AWS SDKs and Tools Reference Guide, "Container credential provider".
 * @throws {RangeError} for a grant that cannot be meant. @throws {VsockError} as `listen()` of the transport's server.
 */
export async function startCredentialServer(options: CredentialServerOptions): Promise<CredentialServer> {
  const server = new CredentialServer(options);
  await server.listen();
  return server;
}
