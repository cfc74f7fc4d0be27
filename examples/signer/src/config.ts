/** What the image says about its key and its purposes: part of the environment that is measured with it. */
export interface SignerConfig {
  readonly region: string;
  /** ARN (or alias) of the KMS key that seals the signing key. */
  readonly key: string;
  /** What the enclave signs for; nothing else. */
  readonly purposes: ReadonlySet<string>;
  /** What the parent's credential server wants to hear. */
  readonly credentialsToken: string;
}

/** Takes the configuration from the environment. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): SignerConfig {
  const field = (name: string) => {
    const value = env[name];
    if (value === undefined || value === '') throw new Error(`expected the image to set ${name}`);
    return value;
  };
  return {
    region: field('AWS_REGION'),
    key: field('SEALING_KEY_ARN'),
    purposes: new Set(field('PURPOSES').split(',')),
    credentialsToken: field('CREDENTIALS_TOKEN'),
  };
}
