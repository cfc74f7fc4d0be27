import { encodeHex } from '@nitro-enclaves/core';
import { partitionOf } from '../kms/arn.ts';
import type { EmulatedCredentials, EmulatedKms } from '../kms/index.ts';
import type { Seed } from '../seed.ts';

/** How long an instance's credentials last, in ms. */
const LIFETIME_MS = 6 * 3_600_000;
/** They are replaced this long before they end. */
const MARGIN_MS = 15 * 60_000;

/** Credentials that end. */
export type SessionCredentials = EmulatedCredentials & { readonly sessionToken: string; readonly expiration: Date };

/** Whose credentials they are: the role of the parent instance. */
export interface SessionOptions {
  readonly kms: Pick<EmulatedKms, 'accountId' | 'addCredentials' | 'region'>;
  readonly seed: Seed;
  readonly instanceId: string;
  readonly roleArn: string | undefined;
  readonly clock: () => number;
}

/** ARN of the session in which an instance holds its role. */
function sessionArn({ kms, instanceId, roleArn }: SessionOptions): string {
  const [, partition = partitionOf(kms.region), , , account = kms.accountId, role = 'role/enclave-parent'] =
    roleArn?.split(':') ?? [];
  const name = role.slice(role.lastIndexOf('/') + 1);
  return `arn:${partition}:sts::${account}:assumed-role/${name}/${instanceId}`;
}

/** The credentials of the parent's role, renewed ahead of their end as the instance metadata service does. */
export class SessionIssuer {
  readonly #options: SessionOptions;
  #current: SessionCredentials | undefined;
  #issued = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Credentials that are good for a while. */
  current(): SessionCredentials {
    const now = this.#options.clock();
    if (this.#current === undefined || this.#current.expiration.getTime() - MARGIN_MS < now) {
      this.#current = this.#issue(new Date(now + LIFETIME_MS));
    }
    return this.#current;
  }

  /** Credentials that have ended, as KMS knows too. */
  expired(): SessionCredentials {
    return this.#issue(new Date(this.#options.clock() - 1000));
  }

  #issue(expiration: Date): SessionCredentials {
    const { kms, seed, roleArn } = this.#options;
    this.#issued += 1;
    const own = seed.child(`session ${this.#issued}`);
    const credentials: SessionCredentials = {
      accessKeyId: `ASIA${encodeHex(own.derive('access key', 8)).toUpperCase()}`,
      secretAccessKey: Buffer.from(own.derive('secret', 30)).toString('base64'),
      sessionToken: Buffer.from(own.derive('token', 96)).toString('base64'),
      expiration,
      principalArn: sessionArn(this.#options),
      ...(roleArn !== undefined && { roleArn }),
    };
    kms.addCredentials(credentials);
    return credentials;
  }
}
