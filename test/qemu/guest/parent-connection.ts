import { createInterface } from 'node:readline';
import type { Faults } from '@nitro-enclaves/emulator';
import type { Transport, VsockSocket } from '@nitro-enclaves/vsock';
import { VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import type { GuestMessage, GuestResult, GuestSettings, Parent, ParentMessage } from './guest-test.ts';
import { REPORT_PORT } from './guest-test.ts';

interface Waiting {
  resolve(figures: string): void;
  reject(error: Error): void;
}

/** The connection to the parent program: settings in, report out, visits and faults asked for and answered. */
export class ParentConnection implements Parent {
  readonly settings: GuestSettings;
  readonly #socket: VsockSocket;
  readonly #visits = new Map<string, Waiting>();
  readonly #injected: (() => void)[] = [];

  private constructor(socket: VsockSocket, settings: GuestSettings) {
    this.#socket = socket;
    this.settings = settings;
  }

  /** `undefined` when no parent program listens. */
  static async open(transport: Transport): Promise<ParentConnection | undefined> {
    const address = { cid: VMADDR_CID_PARENT, port: REPORT_PORT, timeout: 5000, allowHalfOpen: true };
    const socket = await transport.connect(address).catch((error: unknown) => {
      console.log(`no parent program: ${String(error)}`);
    });
    if (!socket) return undefined;
    return new Promise((resolve, reject) => {
      let connection: ParentConnection | undefined;
      createInterface({ input: socket }).on('line', (line) => {
        const message: ParentMessage = JSON.parse(line);
        if ('settings' in message) {
          connection = new ParentConnection(socket, message.settings);
          resolve(connection);
        } else if (connection !== undefined) {
          connection.#answered(message);
        }
      });
      socket.once('close', () => reject(new Error('expected settings of the parent, found the end of the connection')));
    });
  }

  visit(scenario: string): Promise<string> {
    const visited = new Promise<string>((resolve, reject) => this.#visits.set(scenario, { resolve, reject }));
    this.#send({ visit: scenario });
    return visited;
  }

  inject(faults: Faults): Promise<void> {
    const injected = new Promise<void>((resolve) => this.#injected.push(resolve));
    this.#send({ inject: faults });
    return injected;
  }

  report(result: GuestResult): void {
    this.#send({ result });
  }

  /** Ends the report, and waits until the parent has seen it whole. */
  async end(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.end();
    await closed;
  }

  #send(message: GuestMessage): void {
    this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  #answered(message: Exclude<ParentMessage, { settings: GuestSettings }>): void {
    if ('injected' in message) {
      this.#injected.shift()?.();
      return;
    }
    const waiting = this.#visits.get(message.visited);
    this.#visits.delete(message.visited);
    if ('error' in message) waiting?.reject(new Error(`on the parent's side: ${message.error}`));
    else waiting?.resolve(message.figures);
  }
}
