import type { AgentOptions, ClientRequestArgs } from 'node:http';
import { Agent } from 'node:http';
import type { AgentOptions as HttpsAgentOptions, RequestOptions } from 'node:https';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { formatVsockAddress } from './address.ts';
import type { Destination, VsockDestination } from './agent-options.ts';
import { resolveDestination } from './agent-options.ts';
import { brokenConnection, takeSlot } from './agent-slot.ts';
import type { VsockSocket } from './socket.ts';

type Connected = (error: Error | null, stream: Duplex) => void;

function open({ transport, cid, port, timeout }: Destination, signal: AbortSignal | undefined): Promise<VsockSocket> {
  return transport.connect({ cid, port, timeout, signal });
}

/**
 * An agent for `http` whose connections all go to one vsock address; host and port of a URL only name the site.
 * Requests fail with the errors of `Transport.connect`.
 */
export class VsockAgent extends Agent {
  readonly #destination: Destination;

  constructor({ cid, port, transport, connectTimeout, ...options }: VsockDestination & AgentOptions) {
    super(options);
    this.#destination = resolveDestination({ cid, port, transport, connectTimeout });
  }

  /** The key of the pool, with the address in it: a connection is never handed to a request for another one. */
  override getName(options?: Parameters<Agent['getName']>[0]): string {
    return `${formatVsockAddress(this.#destination)}:${super.getName(options)}`;
  }

  override createConnection(options: ClientRequestArgs, callback?: Connected): undefined {
    const giveBack = takeSlot(this, this.getName(options));
    open(this.#destination, options.signal)
      .catch(brokenConnection)
      .then((connection) => {
        giveBack();
        callback?.(null, connection);
      });
  }
}

/** The same for `https`: TLS inside the vsock connection, checked against the host that the URL names. */
export class VsockHttpsAgent extends HttpsAgent {
  readonly #destination: Destination;

  constructor({ cid, port, transport, connectTimeout, ...options }: VsockDestination & HttpsAgentOptions) {
    super(options);
    this.#destination = resolveDestination({ cid, port, transport, connectTimeout });
  }

  /** As in `VsockAgent`. Also the key under which TLS sessions are kept. */
  override getName(options?: Parameters<HttpsAgent['getName']>[0]): string {
    return `${formatVsockAddress(this.#destination)}:${super.getName(options)}`;
  }

  override createConnection(options: RequestOptions, callback?: Connected): undefined {
    const giveBack = takeSlot(this, this.getName(options));
    open(this.#destination, options.signal)
      .then((socket) => this.#secure(socket, options))
      .catch(brokenConnection)
      .then((connection) => {
        giveBack();
        callback?.(null, connection);
      });
  }

  /** Node's own agent, given a socket, does the TLS and keeps the sessions. */
  #secure(socket: VsockSocket, options: RequestOptions): Duplex {
    const overVsock: RequestOptions & { socket: VsockSocket } = { ...options, socket };
    try {
      return super.createConnection(overVsock) ?? socket;
    } catch (error) {
      // TLS refuses its options only now; nobody else would close the connection.
      socket.destroy();
      throw error;
    }
  }
}
