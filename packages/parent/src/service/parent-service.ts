import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Transport } from '@nitro-enclaves/vsock';
import type { CredentialGrant, CredentialServer } from '../credentials/credential-server.ts';
import { MIN_TOKEN_LENGTH, startCredentialServer } from '../credentials/credential-server.ts';
import type { LogSink } from '../logs/log-sink.ts';
import { startLogSink } from '../logs/log-sink.ts';
import { ProxyError } from '../proxy/error.ts';
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

/** What is served beside the proxy: a configuration, and the tokens that its files held when they were read. */
interface Beside {
  readonly config: ServiceConfig;
  readonly grants: readonly CredentialGrant[];
}

/** Everything that one configuration file asks for, in one process: proxy, credentials, logs, metrics. */
export class ParentService {
  readonly #options: ParentServiceOptions;
  readonly #proxy: ProxyService;
  readonly #health: HealthServer;
  #beside: Beside;
  #credentials: CredentialServer | undefined;
  #logs: LogSink | undefined;
  #isHealthListening = false;
  /** Starts, reloads and stops follow one another: two at once would fight for the same ports. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ParentServiceOptions) {
    const { transport, config, log, resolver, systemdSockets } = options;
    this.#options = options;
    this.#beside = { config, grants: [] };
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

  /**
   * Starts everything, or nothing.
   * @throws {ProxyError} `CONFIG_INVALID`, also for a token that is too short. @throws as `ProxyService.start`,
   * `startCredentialServer` and `startLogSink`; system errors of files with tokens.
   */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      const { config } = this.#beside;
      try {
        await this.#serveBeside({ config, grants: await readGrants(config) });
        await this.#proxy.start();
      } catch (error) {
        await this.#stopBeside();
        throw error;
      }
    });
  }

  /**
   * Takes another configuration without dropping a connection of the proxy. Credentials and logs are served anew where what
   * the file says of them, or a token, has changed; where metrics are served stays as it was. When anything fails, everything
   * stays as it was.
   * @throws as `start()`.
   */
  reload(config: ServiceConfig): Promise<void> {
    return this.#inTurn(async () => {
      const [before, next] = [this.#beside, { config, grants: await readGrants(config) }];
      await this.#proxy.reload(config.proxy);
      try {
        await this.#serveBeside(next);
      } catch (error) {
        await this.#proxy.reload(before.config.proxy);
        await this.#serveBeside(before);
        throw error;
      }
    });
  }

  /** Lets connections end within `drainTimeout`, then stops. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#proxy.drain({ timeout: this.#beside.config.drainTimeout });
      await this.#stopBeside();
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Serves what `next` says, and leaves alone what is served so already. */
  async #serveBeside(next: Beside): Promise<void> {
    const { config, grants } = this.#beside;
    this.#beside = next;
    const { credentials, logs, metrics } = next.config;
    if (!isDeepStrictEqual([credentials, next.grants], [config.credentials, grants])) await this.#stopCredentials();
    if (!isDeepStrictEqual(logs, config.logs)) await this.#stopLogs();
    if (metrics !== undefined && !this.#isHealthListening) {
      const port = await this.#health.listen(metrics);
      this.#isHealthListening = true;
      this.#options.log({ event: 'metrics', port });
    }
    if (credentials !== undefined) this.#credentials ??= await this.#startCredentials(credentials.port, next.grants);
    if (logs !== undefined) this.#logs ??= await this.#startLogs(logs);
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

  #startLogs({ port, cids }: NonNullable<ServiceConfig['logs']>): Promise<LogSink> {
    const { transport, log } = this.#options;
    return startLogSink({
      transport,
      // In a field of its own: what an enclave says must not pass for what this service says.
      onRecord: ({ cid, record }) => log({ event: 'enclave', cid, record }),
      onRefused: (refused) => log({ event: 'enclave-line-refused', ...refused }),
      ...(port === undefined ? {} : { port }),
      ...(cids === undefined ? {} : { allowedCids: cids }),
    });
  }

  async #stopCredentials(): Promise<void> {
    await this.#credentials?.[Symbol.asyncDispose]();
    this.#credentials = undefined;
  }

  async #stopLogs(): Promise<void> {
    await this.#logs?.[Symbol.asyncDispose]();
    this.#logs = undefined;
  }

  async #stopBeside(): Promise<void> {
    await Promise.all([this.#stopCredentials(), this.#stopLogs()]);
    if (this.#isHealthListening) await this.#health.close();
    this.#isHealthListening = false;
  }
}

/** Grants with their tokens, which stand in files of their own so that the configuration holds no secret. */
function readGrants({ credentials }: ServiceConfig): Promise<CredentialGrant[]> {
  return Promise.all((credentials?.grants ?? []).map(readGrant));
}

async function readGrant({ cid, tokenFile }: { cid: number | 'any'; tokenFile: string }): Promise<CredentialGrant> {
  const token = (await readFile(tokenFile, 'utf8')).trim();
  if (token.length >= MIN_TOKEN_LENGTH) return { cid, token };
  throw new ProxyError(
    'CONFIG_INVALID',
    `expected a token of at least ${MIN_TOKEN_LENGTH} characters in ${tokenFile}, found ${token.length}`,
  );
}
