import { validateHeaderValue } from 'node:http';
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types';
import { KmsTransportError } from '../error.ts';
import type { ConnectingTransport } from '../transport/request-handler.ts';
import { VMADDR_CID_PARENT } from '../transport/request-handler.ts';
import type { WarningListener } from '../warning.ts';
import { warnProcess } from '../warning.ts';
import type { CredentialSource } from './fetch-credentials.ts';
import { fetchCredentials } from './fetch-credentials.ts';

/** Port on which the parent serves credentials, unless told otherwise. */
export const CREDENTIALS_PORT = 8001;

/** Options of {@link parentCredentials}. */
export interface ParentCredentialsOptions {
  readonly transport: ConnectingTransport;
  /** Default 3, the parent. */
  readonly cid?: number;
  /** Default 8001. */
  readonly port?: number;
  /** Default `/`. */
  readonly path?: string;
  /** Sent as the `Authorization` header, as containers do. */
  readonly token?: string;
  /** How long before they expire new ones are fetched, in ms. Default 600 000 (10 minutes). */
  readonly refreshAhead?: number;
  /** Longest for one exchange, in ms. Default 5000. */
  readonly timeout?: number;
  /** Shortest between two attempts while the ones at hand are still valid, in ms. Default 5000. */
  readonly retryInterval?: number;
  /** Default: `process.emitWarning`. */
  readonly onWarning?: WarningListener;
}

type Expiring = AwsCredentialIdentity & { expiration: Date };

/** In ms, by the local clock. */
function timeLeft({ expiration }: Expiring): number {
  return expiration.getTime() - Date.now();
}

/**
 * What a parent with an old answer, or a wrong clock, gives must not take the place of credentials that still serve. Where
 * nothing else is at hand it is taken: then it may be the local clock that is wrong, and KMS decides.
 */
function expectCurrent(fetched: Expiring): void {
  if (timeLeft(fetched) > 0) return;
  throw new KmsTransportError(
    'CREDENTIALS_UNAVAILABLE',
    `expected new credentials from the parent, found ones that expired at ${fetched.expiration.toISOString()}: compare its clock with this one, and look at what its credential server gives out`,
  );
}

/** Credentials at hand, and the one exchange that may be under way. */
class ParentCredentials {
  readonly #source: CredentialSource;
  readonly #refreshAhead: number;
  readonly #retryInterval: number;
  readonly #warn: WarningListener;
  #held: Expiring | undefined;
  #exchange: Promise<Expiring> | undefined;
  #retryAt = 0;

  constructor(options: ParentCredentialsOptions) {
    const { transport, cid = VMADDR_CID_PARENT, port = CREDENTIALS_PORT, path = '/', token, timeout = 5000 } = options;
    if (token !== undefined) validateHeaderValue('authorization', token);
    this.#source = { transport, cid, port, path, token, timeout };
    this.#refreshAhead = options.refreshAhead ?? 600_000;
    this.#retryInterval = options.retryInterval ?? 5000;
    this.#warn = options.onWarning ?? warnProcess;
  }

  async get(): Promise<Expiring> {
    const held = this.#held;
    const left = held === undefined ? 0 : timeLeft(held);
    if (held === undefined || left <= 0) return this.#fetch();
    if (left < this.#refreshAhead) this.#refresh(left);
    return held;
  }

  /** In the background: those at hand still serve. */
  #refresh(left: number): void {
    if (this.#exchange !== undefined || Date.now() < this.#retryAt) return;
    this.#retryAt = Date.now() + this.#retryInterval;
    this.#fetch().catch((error: Error) => {
      this.#warn(
        `the credentials at hand serve for ${Math.ceil(left / 1000)} s more, new ones did not come: ${error.message}`,
      );
    });
  }

  #fetch(): Promise<Expiring> {
    this.#exchange ??= this.#fetchOnce().finally(() => {
      this.#exchange = undefined;
    });
    return this.#exchange;
  }

  async #fetchOnce(): Promise<Expiring> {
    const fetched = await fetchCredentials(this.#source);
    if (this.#held !== undefined && timeLeft(this.#held) > 0) expectCurrent(fetched);
    this.#held = fetched;
    return fetched;
  }
}

/**
 * A credential provider for the AWS SDK's clients inside an enclave, which has no metadata service: it asks the parent's
 * credential server over the transport, in the form in which containers get theirs. New ones are fetched in the background
 * ahead of expiry; while the parent is away, those at hand serve as long as they are valid.
 * @throws {TypeError} for a token that cannot be a header.
 * @throws {KmsTransportError} from the calls: `CREDENTIALS_UNAVAILABLE`, `CREDENTIALS_REFUSED`, `CREDENTIALS_MALFORMED`.
 */
export function parentCredentials(options: ParentCredentialsOptions): AwsCredentialIdentityProvider {
  const credentials = new ParentCredentials(options);
  return () => credentials.get();
}
