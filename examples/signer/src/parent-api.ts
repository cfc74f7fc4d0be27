import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { Transport } from '@nitro-enclaves/vsock';
import { VsockAgent } from '@nitro-enclaves/vsock';
import { SIGNER_PORT } from './application.ts';
import type { TrailEntry } from './audit-trail.ts';
import { SignerError } from './error.ts';
import { fieldsOf, readJson, writeJson, writeRefusal } from './http-json.ts';
import { TrailStore } from './trail-store.ts';

const ENCLAVE_TIMEOUT_MS = 60_000;
/** Longest that an enclave takes to boot and to listen. */
const UP_TIMEOUT_MS = 60_000;
const UP_INTERVAL_MS = 250;

/** Options of {@link startParentApi}. */
export interface ParentApiOptions {
  readonly transport: Transport;
  /** The enclave's. */
  readonly cid: number;
  /** Where the sealed key and the audit trail are kept: a folder that exists. */
  readonly folder: string;
  /** Default 127.0.0.1: whoever reaches the API can have signatures. */
  readonly host?: string;
  /** Default 0: any that is free. */
  readonly port?: number;
}

interface EnclaveAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** HTTP to the enclave over vsock. */
class EnclaveClient {
  readonly #agent: VsockAgent;
  readonly #options: ParentApiOptions;

  constructor(options: ParentApiOptions) {
    const { transport, cid } = options;
    this.#options = options;
    this.#agent = new VsockAgent({ cid, port: SIGNER_PORT, transport });
  }

  /** Waits until the enclave listens. */
  async untilUp(): Promise<void> {
    const { transport, cid } = this.#options;
    for (const deadline = Date.now() + UP_TIMEOUT_MS; ; await delay(UP_INTERVAL_MS)) {
      try {
        const socket = await transport.connect({ cid, port: SIGNER_PORT, timeout: 5000 });
        socket.destroy();
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  async ask(method: 'GET' | 'POST', path: string, body?: object): Promise<EnclaveAnswer> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const signal = AbortSignal.timeout(ENCLAVE_TIMEOUT_MS);
      const asked = httpRequest({ agent: this.#agent, host: 'enclave.invalid', method, path, signal }, resolve);
      asked.once('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
    });
    return { status: response.statusCode ?? 502, body: fieldsOf(await text(response)) };
  }

  /** The answer's fields, where a refusal is not expected. */
  async get(method: 'GET' | 'POST', path: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await this.ask(method, path, body);
    if (answer.status === 200) return answer.body;
    throw new Error(`the enclave refused ${method} ${path}: ${JSON.stringify(answer.body)}`);
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The HTTP API on the parent: passes requests to the enclave, and keeps what it has no disk for. Knows no secret. */
export class ParentApi implements AsyncDisposable {
  readonly #enclave: EnclaveClient;
  readonly #store: TrailStore;
  readonly #http: Server;
  #entries: TrailEntry[] = [];
  #publicKey = '';
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: ParentApiOptions) {
    this.#enclave = new EnclaveClient(options);
    this.#store = new TrailStore(options.folder);
    this.#http = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => writeRefusal(response, error));
    });
  }

  static async start(options: ParentApiOptions): Promise<ParentApi> {
    const api = new ParentApi(options);
    try {
      await api.#openKey();
      const { host = '127.0.0.1', port = 0 } = options;
      await new Promise<void>((resolve, reject) => api.#http.once('error', reject).listen(port, host, resolve));
      return api;
    } catch (error) {
      api.#enclave.close();
      throw error;
    }
  }

  /** Such as `http://127.0.0.1:8080`. */
  get url(): string {
    const { address, port } = this.#http.address() as AddressInfo;
    return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
  }

  async close(): Promise<void> {
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
    await this.#turn.catch(() => undefined);
    this.#enclave.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Gives the enclave its key and the end of its trail, or has it make a key and begin one. */
  async #openKey(): Promise<void> {
    const stored = await this.#store.read();
    this.#entries = [...(stored?.entries ?? [])];
    const given = stored === undefined ? {} : { sealedKey: stored.sealedKey, last: this.#entries.at(-1) };
    await this.#enclave.untilUp();
    const { sealedKey, publicKey } = await this.#enclave.get('POST', '/key', given);
    if (typeof sealedKey !== 'string' || typeof publicKey !== 'string')
      throw new TypeError('expected a sealed key and a public key from the enclave');
    this.#publicKey = publicKey;
    await this.#keepTrail();
    if (sealedKey !== stored?.sealedKey) await this.#store.writeKey(sealedKey);
  }

  /** Fetches what the enclave wrote down since, and keeps it. */
  async #keepTrail(): Promise<void> {
    for (;;) {
      const from = this.#entries.length;
      const { entries } = await this.#enclave.get('GET', `/trail?from=${from}`);
      if (!Array.isArray(entries) || entries.length === 0) return;
      if (entries[0].sequence !== from)
        throw new SignerError('TRAIL_SEQUENCE', `expected entry ${from} of the enclave, found ${entries[0].sequence}`);
      await this.#store.append(entries);
      this.#entries.push(...entries);
    }
  }

  /** One after the other: no signature leaves before its entry is on the disk. */
  #sign(body: object): Promise<EnclaveAnswer> {
    const signed = this.#turn
      .catch(() => undefined)
      .then(async () => {
        const answer = await this.#enclave.ask('POST', '/sign', body);
        await this.#keepTrail();
        return answer;
      });
    this.#turn = signed;
    return signed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, search } = new URL(request.url ?? '/', 'http://parent.invalid');
    const { status, body } = await this.#route(`${request.method} ${pathname}`, search, request);
    writeJson(response, status, body);
  }

  async #route(route: string, search: string, request: IncomingMessage): Promise<{ status: number; body: object }> {
    switch (route) {
      case 'POST /sign':
        return this.#sign(await readJson(request));
      case 'GET /attestation':
        return this.#enclave.ask('GET', `/attestation${search}`);
      case 'GET /trail':
        return { status: 200, body: { entries: this.#entries } };
      case 'GET /public-key':
        return { status: 200, body: { publicKey: this.#publicKey } };
      default:
        throw new SignerError('ROUTE_UNKNOWN', 'expected POST /sign, GET /attestation, GET /trail or GET /public-key');
    }
  }
}

/** Opens the enclave's key and serves the API. */
export function startParentApi(options: ParentApiOptions): Promise<ParentApi> {
  return ParentApi.start(options);
}
