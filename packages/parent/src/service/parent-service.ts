import { readFile } from 'node:fs/promises';
import type { Transport } from '@nitro-enclaves/vsock';
import type { CredentialGrant, CredentialServer } from '../credentials/credential-server.ts';
import { startCredentialServer } from '../credentials/credential-server.ts';
import type { LogSink } from '../logs/log-sink.ts';
import { startLogSink } from '../logs/log-sink.ts';
import { ProxyService } from '../proxy/proxy-service.ts';
import type { Resolver } from '../proxy/resolver.ts';
import type { ServiceConfig } from './config-file.ts';
import { HealthServer } from './health-server.ts';

/** Options of {@link ParentService}. */
export interface ParentServiceOptions {
  readonly transport: Transport;
  readonly config: ServiceConfig;
  /** One object for each line of the log. */
  readonly log: (entry: object) => void;
  readonly resolver?: Resolver;
  readonly systemdSockets?: ReadonlyMap<string, number>;
}

/** Everything that one configuration file asks for, in one process: proxy, credentials, logs, metrics. */
export class ParentService {
  readonly #options: ParentServiceOptions;
  readonly #proxy: ProxyService;
  readonly #health: HealthServer;
  #config: ServiceConfig;
  #credentials: CredentialServer | undefined;
  #logs: LogSink | undefined;
  #isHealthListening = false;

  constructor(options: ParentServiceOptions) {
    const { transport, config, log, resolver, systemdSockets } = options;
    this.#options = options;
    this.#config = config;
    this.#proxy = new ProxyService({
      transport,
      config: config.proxy,
      log,
      ...(resolver === undefined ? {} : { resolver }),
      ...(systemdSockets === undefined ? {} : { systemdSockets }),
    });
    this.#health = new HealthServer(this.#proxy);
  }

  /** The proxy, for its state. */
  get proxy(): ProxyService {
    return this.#proxy;
  }

  /** Starts everything, or nothing. @throws as `ProxyService.start`, `startCredentialServer` and `startLogSink`. */
  async start(): Promise<void> {
    try {
      await this.#startBeside(await readGrants(this.#config));
      await this.#proxy.start();
    } catch (error) {
      await this.#stopBeside();
      throw error;
    }
  }

  /**
   * Takes another configuration without dropping a connection. Grants of credentials and the log sink are taken anew; where
   * metrics are served stays as it was.
   */
  async reload(config: ServiceConfig): Promise<void> {
    const grants = await readGrants(config);
    await this.#proxy.reload(config.proxy);
    await this.#stopBeside();
    this.#config = config;
    await this.#startBeside(grants);
  }

  /** Lets connections end within `drainTimeout`, then stops. */
  async stop(): Promise<void> {
    await this.#proxy.drain({ timeout: this.#config.drainTimeout });
    await this.#stopBeside();
    if (this.#isHealthListening) await this.#health.close();
  }

  async #startBeside(grants: readonly CredentialGrant[]): Promise<void> {
    const { credentials, logs, metrics } = this.#config;
    const { transport, log } = this.#options;
    if (metrics !== undefined && !this.#isHealthListening) {
      const port = await this.#health.listen(metrics);
      this.#isHealthListening = true;
      log({ event: 'metrics', port });
    }
    if (credentials !== undefined) this.#credentials = await this.#startCredentials(credentials.port, grants);
    if (logs !== undefined) {
      this.#logs = await startLogSink({
        transport,
        onRecord: ({ cid, record }) => log({ event: 'enclave', cid, ...record }),
        onRefused: (refused) => log({ event: 'enclave-line-refused', ...refused }),
        ...(logs.port === undefined ? {} : { port: logs.port }),
        ...(logs.cids === undefined ? {} : { allowedCids: logs.cids }),
      });
    }
  }

  #startCredentials(port: number | undefined, grants: readonly CredentialGrant[]): Promise<CredentialServer> {
    const { transport, log } = this.#options;
    return startCredentialServer({
      transport,
      grants,
      onRequest: (served) => log({ event: 'credentials', ...served }),
      ...(port === undefined ? {} : { port }),
    });
  }

  async #stopBeside(): Promise<void> {
    await this.#credentials?.[Symbol.asyncDispose]();
    await this.#logs?.[Symbol.asyncDispose]();
    this.#credentials = undefined;
    this.#logs = undefined;
  }
}

/** Grants with their tokens, which stand in files of their own so that the configuration holds no secret. */
function readGrants({ credentials }: ServiceConfig): Promise<CredentialGrant[]> {
  const grants = credentials?.grants ?? [];
  return Promise.all(
    grants.map(async ({ cid, tokenFile }) => ({ cid, token: (await readFile(tokenFile, 'utf8')).trim() })),
  );
}
