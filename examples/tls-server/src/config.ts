/** What the image says: part of the environment that is measured with it. */
export interface TlsServerConfig {
  readonly region: string;
  /** ARN of the KMS key that seals private keys. */
  readonly keyArn: string;
  /** Name of the server. */
  readonly host: string;
  /** What the parent's credential server wants to hear. */
  readonly credentialsToken: string;
  /** Time between two looks at the bundle, in ms. */
  readonly interval: number;
}

const DEFAULT_RENEWAL_SECONDS = 3600;

/** Takes the configuration from the environment. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): TlsServerConfig {
  const field = (name: string) => {
    const value = env[name];
    if (value === undefined || value === '') throw new Error(`expected the image to set ${name}`);
    return value;
  };
  const seconds = Number(env['RENEWAL_SECONDS'] ?? DEFAULT_RENEWAL_SECONDS);
  if (!(seconds >= 0.1 && seconds <= 86_400)) throw new RangeError('expected RENEWAL_SECONDS from 0.1 to 86400');
  return {
    region: field('AWS_REGION'),
    keyArn: field('SEALING_KEY_ARN'),
    host: field('SERVER_NAME'),
    credentialsToken: field('CREDENTIALS_TOKEN'),
    interval: seconds * 1000,
  };
}
