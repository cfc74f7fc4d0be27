// A stand-in for a cluster, for the genuine kubectl: an API server on loopback that judges objects by Kubernetes' own schema.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Api } from './api.ts';
import type { Surroundings } from './controllers.ts';
import { Controllers } from './controllers.ts';
import { Store } from './store.ts';

/** Where Debian's package and Kubernetes' own put it. */
export const KUBECTL = '/usr/bin/kubectl';

/** Why kubectl cannot be run on this machine; `undefined` when it can. */
export const whyNoKubectl = (): string | undefined => (existsSync(KUBECTL) ? undefined : `needs ${KUBECTL}`);

/** The cluster: two nodes whose instances have enclaves on, and one other. */
export class Cluster implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(surroundings: Surroundings): Promise<Cluster> {
    const store = new Store();
    const controllers = new Controllers(store, surroundings);
    const api = new Api(store, () => controllers.reconcile());
    const server = createServer((request, response) => api.handle(request, response));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new Cluster(server);
  }

  /** The file by which kubectl finds it. */
  get kubeconfig(): string {
    const { port } = this.#server.address() as AddressInfo;
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'cluster', cluster: { server: `http://127.0.0.1:${port}` } }],
      contexts: [{ name: 'cluster', context: { cluster: 'cluster', user: '' } }],
      'current-context': 'cluster',
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
