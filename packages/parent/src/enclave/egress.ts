import type { AgentOptions, RequestOptions } from 'node:https';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { connect as connectTls } from 'node:tls';
import { brokenConnection, takeSlot } from '@nitro-enclaves/vsock/agent-slot';
import type { AllowEntry, Target } from '../proxy/allow-list.ts';
import { AllowList, notAllowed } from '../proxy/allow-list.ts';
import { ProxyError } from '../proxy/error.ts';

/** The part of a `Transport` that is needed here: a way to the parent. */
interface ConnectingTransport {
  readonly localCid: number;
  connect(options: { cid: number; port: number; signal?: AbortSignal; timeout?: number }): Promise<Socket>;
}

/** Options of {@link enclaveEgress}. */
export interface EnclaveEgressOptions {
  readonly transport: ConnectingTransport;
  /** vsock port of the parent's route by HTTP CONNECT. */
  readonly port: number;
  /** Default 3, the parent. */
  readonly cid?: number;
  /** What this enclave may reach: in the image, so measured. The parent's own list holds as well. */
  readonly allow: readonly AllowEntry[];
  /** Longest for a tunnel, in ms. Default 10 000. */
  readonly timeout?: number;
}

/** Longest head of the proxy's answer, in bytes. */
const MAX_HEAD_BYTES = 8192;

/** Reads the head of the proxy's answer; what comes after it stays in the socket. */
function readHead(socket: Socket, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const settle = (outcome: () => void) => {
      socket.pause().off('data', read).off('error', fail).off('end', end);
      signal.removeEventListener('abort', expire);
      outcome();
    };
    const fail = (error: Error) => settle(() => reject(error));
    const end = () => fail(new Error('the proxy ended the connection'));
    const expire = () => fail(new Error('the proxy said nothing in time', { cause: signal.reason }));
    const read = (piece: Buffer) => {
      bytes = Buffer.concat([bytes, piece]);
      const at = bytes.indexOf('\r\n\r\n');
      if (at === -1 && bytes.length > MAX_HEAD_BYTES) fail(new Error('the proxy answered with something else'));
      if (at === -1) return;
      settle(() => {
        if (bytes.length > at + 4) socket.unshift(bytes.subarray(at + 4));
        resolve(bytes.toString('latin1', 0, at));
      });
    };
    socket.on('data', read).once('error', fail).once('end', end);
    signal.addEventListener('abort', expire, { once: true });
  });
}

function failed({ host, port }: Target, found: string, cause?: unknown): ProxyError {
  return new ProxyError(
    'CONNECT_FAILED',
    `expected a tunnel through the parent to ${host} port ${port}, found ${found}: compare the allow-list of the parent's proxy`,
    cause === undefined ? {} : { cause },
  );
}

/** The way out of an enclave, for what its own allow-list names. */
export class EnclaveEgress {
  readonly #options: EnclaveEgressOptions;
  readonly #allowList: AllowList;

  /** @throws {ProxyError} `CONFIG_INVALID` */
  constructor(options: EnclaveEgressOptions) {
    this.#options = options;
    this.#allowList = new AllowList(options.allow);
  }

  /**
   * A connection to `target` through the parent's proxy.
   * @throws {ProxyError} `TARGET_NOT_ALLOWED` before anything leaves the enclave; `CONNECT_FAILED`. @throws the signal's reason.
   */
  async connect(target: Target, { signal }: { signal?: AbortSignal } = {}): Promise<Socket> {
    signal?.throwIfAborted();
    const { transport, port, cid = 3, timeout = 10_000 } = this.#options;
    this.#expectAllowed(target);
    const deadline = AbortSignal.timeout(timeout);
    const stop = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    try {
      const socket = await transport.connect({ cid, port, timeout, signal: stop });
      return await this.#tunnel(socket, target, stop);
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof ProxyError ? error : failed(target, 'no way there', error);
    }
  }

  /** It is the parent that resolves names, so a range lets addresses through, and never a name that is said to lead there. */
  #expectAllowed(target: Target): void {
    const { localCid } = this.#options.transport;
    const permission = this.#allowList.permit(target, localCid);
    const isAllowed = isIP(target.host) === 0 ? permission.isNamed : permission.allowsAddress(target.host);
    if (!isAllowed) throw notAllowed(target, localCid);
  }

  async #tunnel(socket: Socket, target: Target, signal: AbortSignal): Promise<Socket> {
    const { host, port } = target;
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
    try {
      const [statusLine = ''] = (await readHead(socket, signal)).split('\r\n');
      if (/^HTTP\/1\.[01] 200 /.test(statusLine)) return socket;
      throw failed(target, JSON.stringify(statusLine.slice(0, 80)));
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** An agent for `https`: each host through a tunnel of its own, TLS ending in here. */
  agent(options: AgentOptions = {}): HttpsAgent {
    return new EgressAgent((target) => this.connect(target), options);
  }
}

class EgressAgent extends HttpsAgent {
  readonly #connect: (target: Target) => Promise<Socket>;

  constructor(connect: (target: Target) => Promise<Socket>, options: AgentOptions) {
    super({ keepAlive: true, ...options });
    this.#connect = connect;
  }

  override createConnection(options: RequestOptions, done?: (error: Error | null, stream: Duplex) => void): undefined {
    const giveBack = takeSlot(this, this.getName(options));
    const target = { host: options.host ?? '', port: Number(options.port ?? 443) };
    this.#open(target, { ...this.options, ...options })
      .catch(brokenConnection)
      .then((connection) => {
        giveBack();
        done?.(null, connection);
      });
  }

  async #open(target: Target, options: object): Promise<TLSSocket> {
    const socket = await this.#connect(target);
    return connectTls({ servername: target.host, ...options, socket });
  }
}

/**
 * The world, as far as this enclave's own allow-list goes. The list is part of the image, so whoever verifies the image knows
 * where it can connect to, whatever the parent allows.
 * @throws {ProxyError} `CONFIG_INVALID`
 */
export function enclaveEgress(options: EnclaveEgressOptions): EnclaveEgress {
  return new EnclaveEgress(options);
}
