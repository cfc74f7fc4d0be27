import type { ClientRequestArgs } from 'node:http';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { finished, PassThrough } from 'node:stream';
import type { SecureContext, TLSSocket } from 'node:tls';
import { connect as connectTls, createSecureContext, rootCertificates } from 'node:tls';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { KmsTransportError } from '../error.ts';
import { Slots } from './slots.ts';

/** The part of a `Transport` (see the package vsock) that is needed here: a way to the parent. */
export interface ConnectingTransport {
  connect(options: { cid: number; port: number; signal?: AbortSignal; timeout?: number }): Promise<Socket>;
}

/** CID of the parent instance, as every enclave sees it (Nitro Enclaves User Guide, "Vsock socket"). */
export const VMADDR_CID_PARENT = 3;
/** Port on which AWS's vsock-proxy listens by default for KMS. */
export const KMS_PROXY_PORT = 8000;

/** Options of {@link kmsRequestHandler}. */
export interface KmsRequestHandlerOptions {
  readonly transport: ConnectingTransport;
  /** Where the proxy listens. Default 3, the parent. */
  readonly cid?: number;
  /** Port of the proxy that forwards to KMS. Default 8000. */
  readonly port?: number;
  /** PEM certificates to trust instead of the ones built into Node (Mozilla's): for the emulator, or a pinned CA. */
  readonly ca?: string | readonly string[];
  /** Longest for a connection with its TLS handshake, in ms. Default 5000. */
  readonly connectTimeout?: number;
  /** Longest for a whole request, in ms. Default 30 000. */
  readonly requestTimeout?: number;
  /** Most connections at once; further requests wait their turn. Default 16. */
  readonly maxSockets?: number;
}

type HandleArguments = Parameters<NodeHttpHandler['handle']>;
type ConnectionDone = (error: Error | null, stream: Duplex) => void;

function handshakeTimeout(cause: unknown): Error {
  const error = new Error('the TLS handshake took too long', { cause });
  return Object.assign(error, { name: 'TimeoutError', code: 'ETIMEDOUT' });
}

/** Resolves with the socket when the handshake is done and the certificate holds; destroys it otherwise. */
function finishHandshake(socket: TLSSocket, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const expire = () => socket.destroy(handshakeTimeout(signal.reason));
    const settle = (outcome: () => void) => {
      signal.removeEventListener('abort', expire);
      socket.removeListener('error', fail);
      outcome();
    };
    const fail = (error: Error) => settle(() => reject(error));
    signal.addEventListener('abort', expire, { once: true });
    socket.once('error', fail);
    socket.once('secureConnect', () => settle(() => resolve(socket)));
    if (signal.aborted) expire();
  });
}

/**
 * Connects through the transport and ends TLS here, inside the enclave. CiphertextForRecipient is not authenticated: who
 * ends TLS can choose the "secrets" that KMS sends. So the proxy only ever forwards bytes.
 */
class TransportAgent extends HttpsAgent {
  readonly #options: KmsRequestHandlerOptions;
  #context: SecureContext | undefined;

  constructor(options: KmsRequestHandlerOptions) {
    super({ keepAlive: true, scheduling: 'lifo' });
    this.#options = options;
  }

  override createConnection(options: ClientRequestArgs & { servername?: string }, done?: ConnectionDone): undefined {
    // A keep-alive agent names its host's servername; it is the name that the certificate has to have.
    this.#connect(options.servername || options.host || '').then(
      (socket) => done?.(null, socket),
      (error: Error) => this.#fail(error, done),
    );
  }

  /** Node calls back with an error alone; its types want a stream beside it. */
  #fail(error: Error, done?: ConnectionDone): void {
    done?.(error, new PassThrough().destroy());
  }

  async #connect(servername: string): Promise<TLSSocket> {
    const { transport, cid = VMADDR_CID_PARENT, port = KMS_PROXY_PORT, connectTimeout = 5000 } = this.#options;
    const signal = AbortSignal.timeout(connectTimeout);
    const socket = await transport.connect({ cid, port, timeout: connectTimeout, signal });
    const options = { socket, servername, secureContext: this.#trust(), ALPNProtocols: ['http/1.1'] };
    return finishHandshake(connectTls(options), signal);
  }

  /** Once for all connections: reading Mozilla's certificates blocks the event loop for up to 30 ms. */
  #trust(): SecureContext {
    const { ca = rootCertificates } = this.#options;
    this.#context ??= createSecureContext({ ca: typeof ca === 'string' ? ca : [...ca], minVersion: 'TLSv1.2' });
    return this.#context;
  }
}

/** Stands where the SDK would take a connection without TLS: there is none. */
class PlaintextRefused extends HttpAgent {
  override createConnection(): never {
    throw new KmsTransportError(
      'PLAINTEXT_REFUSED',
      'expected an https endpoint for KMS, found http: TLS must end inside the enclave',
    );
  }
}

/** In the form of the SDK's own, which ends with the head of an answer: what follows the parent could hold back for ever. */
function bodyTimeout(): Error {
  const error = new Error('the body of the answer did not come whole within requestTimeout');
  return Object.assign(error, { name: 'TimeoutError', code: 'ETIMEDOUT' });
}

/** At most so many requests, so connections, at a time; the others wait their turn, or until they are aborted. */
class TransportHandler extends NodeHttpHandler {
  readonly #slots: Slots;
  readonly #requestTimeout: number;

  constructor(options: KmsRequestHandlerOptions) {
    const { requestTimeout = 30_000 } = options;
    super({
      httpAgent: new PlaintextRefused(),
      httpsAgent: new TransportAgent(options),
      requestTimeout,
      throwOnRequestTimeout: true,
    });
    this.#requestTimeout = requestTimeout;
    this.#slots = new Slots(options.maxSockets ?? 16);
  }

  override async handle(...[request, options]: HandleArguments): ReturnType<NodeHttpHandler['handle']> {
    const signal = options?.abortSignal;
    await this.#slots.take(signal instanceof AbortSignal ? signal : undefined);
    // 0: none, as the SDK's clients have it.
    const timeout = options?.requestTimeout ?? this.#requestTimeout;
    const startedAt = performance.now();
    try {
      const result = await super.handle(request, options);
      const { body } = result.response;
      const left = timeout - (performance.now() - startedAt);
      const timer = timeout > 0 ? setTimeout(() => body.destroy(bodyTimeout()), left) : undefined;
      finished(body, () => {
        clearTimeout(timer);
        // The connection is busy until the body was read; Node returns it to its pool a tick later.
        setImmediate(() => this.#slots.release());
      });
      return result;
    } catch (error) {
      this.#slots.release();
      throw error;
    }
  }
}

/**
 * A request handler for the AWS SDK's clients that reaches KMS through a transport, such as `vsockTransport()` to the
 * parent's proxy. TLS ends inside the enclave, with the endpoint's host name for SNI and in the certificate, whatever the
 * partition. Connections are kept alive. Retries are the SDK's own.
 * @throws {KmsTransportError} `PLAINTEXT_REFUSED` from a command whose endpoint is http.
 */
export function kmsRequestHandler(options: KmsRequestHandlerOptions): NodeHttpHandler {
  return new TransportHandler(options);
}
