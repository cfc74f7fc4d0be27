import { sign } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Enclave } from '@nitro-enclaves/emulator/enclave';
import { VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import type { TrailEntry } from './audit-trail.ts';
import { AuditTrail } from './audit-trail.ts';
import type { SignerConfig } from './config.ts';
import { SignerError } from './error.ts';
import { readJson, writeJson, writeRefusal } from './http-json.ts';
import type { SigningKey } from './signing-key.ts';
import { openSigningKey } from './signing-key.ts';
import { readSigningRequest, statementBytes } from './statement.ts';

/** vsock port of the enclave: HTTP, for its parent only. */
export const SIGNER_PORT = 5000;

const MAX_ENTRIES = 1000;
const REQUEST_TIMEOUT_MS = 30_000;

interface Opened {
  readonly key: SigningKey;
  readonly trail: AuditTrail;
}

type Handler = (call: { readonly request: IncomingMessage; readonly query: URLSearchParams }) => Promise<object>;

function isEntry(value: unknown): value is TrailEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { sequence, previous, seal } = value as Partial<TrailEntry>;
  return Number.isSafeInteger(sequence) && typeof previous === 'string' && typeof seal === 'string';
}

/** Signs for its purposes with a key that KMS opens for this image only, and writes down that it did. */
export class Signer {
  readonly #enclave: Enclave;
  readonly #config: SignerConfig;
  readonly #routes: ReadonlyMap<string, Handler>;
  #opening: Promise<Opened> | undefined;

  constructor(enclave: Enclave, config: SignerConfig) {
    this.#enclave = enclave;
    this.#config = config;
    this.#routes = new Map<string, Handler>([
      ['POST /key', async ({ request }) => this.#open(await readJson(request))],
      ['POST /sign', async ({ request }) => this.#sign(await readJson(request))],
      ['GET /trail', async ({ query }) => this.#entries(query)],
      ['GET /attestation', async ({ query }) => this.#attest(query)],
    ]);
  }

  /** Serves until the process ends. */
  async listen(): Promise<void> {
    const http = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => writeRefusal(response, error));
    });
    const options = { allowHalfOpen: true, maxConnections: 32, allowedCids: [VMADDR_CID_PARENT] };
    const server = this.#enclave.transport.createServer(options, (socket) => http.emit('connection', socket));
    await server.listen({ port: SIGNER_PORT });
    // Node enforces the request time-out only of servers that say that they listen.
    http.emit('listening');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://enclave.invalid');
    const handler = this.#routes.get(`${request.method} ${pathname}`);
    if (handler === undefined)
      throw new SignerError('ROUTE_UNKNOWN', `expected one of ${[...this.#routes.keys()].join(', ')}`);
    writeJson(response, 200, await handler({ request, query }));
  }

  /** Once: a second opening gets what the first one made. One that failed may be tried again. */
  async #open({ sealedKey, last }: Record<string, unknown>): Promise<object> {
    this.#opening ??= this.#start(sealedKey, last).catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    const { key } = await this.#opening;
    const publicKey = key.publicKey.export({ format: 'der', type: 'spki' });
    return { sealedKey: Buffer.from(key.sealed).toString('base64'), publicKey: publicKey.toString('base64') };
  }

  async #start(sealedKey: unknown, last: unknown): Promise<Opened> {
    const sealed = typeof sealedKey === 'string' ? Buffer.from(sealedKey, 'base64') : undefined;
    // A key that was used has a trail: a parent that has lost it does not get to begin another.
    if ((sealed !== undefined) !== isEntry(last))
      throw new SignerError(
        'TRAIL_MISSING',
        'expected a sealed key and the last entry of its trail together, or neither',
      );
    const key = await openSigningKey(this.#enclave, this.#config, sealed);
    const trail = new AuditTrail(key.privateKey);
    if (isEntry(last)) trail.continueAfter(last, key.publicKey);
    const { moduleId } = await this.#enclave.nsm.describeNsm();
    trail.append({ kind: 'start', moduleId });
    return { key, trail };
  }

  async #opened(): Promise<Opened> {
    if (this.#opening !== undefined) return this.#opening;
    throw new SignerError('KEY_NOT_OPEN', 'expected POST /key before anything else');
  }

  async #sign(body: Record<string, unknown>): Promise<object> {
    const { key, trail } = await this.#opened();
    const statement = readSigningRequest(body);
    if (!this.#config.purposes.has(statement.purpose)) {
      trail.append({ kind: 'refused', code: 'PURPOSE_REFUSED', ...statement });
      throw new SignerError('PURPOSE_REFUSED', `expected one of the purposes ${[...this.#config.purposes].join(', ')}`);
    }
    const signature = sign('sha256', statementBytes(statement), key.privateKey).toString('base64');
    const { sequence } = trail.append({ kind: 'signed', signature, ...statement });
    return { ...statement, signature, sequence };
  }

  async #entries(query: URLSearchParams): Promise<object> {
    const { trail } = await this.#opened();
    const from = query.get('from') ?? '0';
    if (!/^\d{1,15}$/.test(from))
      throw new SignerError('REQUEST_MALFORMED', 'expected from to be the number of an entry');
    return { entries: trail.since(Number(from), MAX_ENTRIES) };
  }

  /** Binds the signing key, the head of the trail and the caller's nonce to this image. */
  async #attest(query: URLSearchParams): Promise<object> {
    const { key, trail } = await this.#opened();
    const nonce = query.get('nonce') ?? '';
    if (!/^(?:[0-9a-f]{2}){16,64}$/.test(nonce))
      throw new SignerError('REQUEST_MALFORMED', 'expected a nonce of 16 to 64 bytes in hexadecimal digits');
    const document = await this.#enclave.nsm.attestation({
      publicKey: key.publicKey.export({ format: 'der', type: 'spki' }),
      userData: Buffer.from(trail.head, 'hex'),
      nonce: Buffer.from(nonce, 'hex'),
    });
    return { document: Buffer.from(document).toString('base64') };
  }
}
