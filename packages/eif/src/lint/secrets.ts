/** A kind of secret and what its text looks like. */
interface SecretPattern {
  readonly what: string;
  readonly pattern: RegExp;
}

/**
 * Texts that are secrets wherever they stand. A private key's first line alone is in every TLS library: a line of base64
 * has to follow.
 */
const PATTERNS: readonly SecretPattern[] = [
  {
    what: 'a private key in PEM',
    // A header ends with its line and nowhere else: one text can be taken for headers in one way only.
    pattern: /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\s+(?:[A-Za-z-]+: [^\n]*\n\s*)*[A-Za-z0-9+/=]{40}/,
  },
  { what: 'an AWS access key id', pattern: /(?<![A-Za-z0-9/+])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9/+])/ },
  {
    what: 'an AWS secret access key',
    pattern: /aws_secret_access_key\s*[=:]\s*["']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])/i,
  },
  { what: 'a GitHub token', pattern: /(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{82})/ },
  { what: 'an npm token', pattern: /(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9_])/ },
  { what: 'a Slack token', pattern: /(?<![A-Za-z0-9])xox[abprs]-\d{8,}-[A-Za-z0-9-]{16,}/ },
  { what: 'a Stripe key', pattern: /(?<![A-Za-z0-9_])[rs]k_live_[A-Za-z0-9]{24,}/ },
];

/** One quick test for all of them, as most of an image has none. */
const HINT = /PRIVATE KEY-----|AKIA|ASIA|aws_secret_access_key|gh[pousr]_|github_pat_|npm_|xox[abprs]-|k_live_/i;

/** Longest secret's beginning that has to be seen at once, in characters. */
const OVERLAP = 512;

/** Kinds of secrets in `text`. */
export function secretsIn(text: string): string[] {
  if (!HINT.test(text)) return [];
  return PATTERNS.filter(({ pattern }) => pattern.test(text)).map(({ what }) => what);
}

/** Looks for secrets in a file that goes by in pieces; what straddles two of them is found too. */
export class SecretScanner {
  readonly #found = new Set<string>();
  readonly #decoder = new TextDecoder('latin1');
  #tail = '';

  push(piece: Uint8Array): void {
    // A shared buffer cannot be decoded.
    const text = this.#tail + this.#decoder.decode(piece.buffer instanceof ArrayBuffer ? piece : piece.slice());
    for (const what of secretsIn(text)) this.#found.add(what);
    this.#tail = text.slice(-OVERLAP);
  }

  /** What was found. */
  get found(): readonly string[] {
    return [...this.#found];
  }
}

/** Files that hold secrets by their names, whatever is in them. */
const SECRET_FILES: readonly RegExp[] = [
  /(?:^|\/)\.ssh\/id_[a-z0-9]+$/,
  /(?:^|\/)id_(?:rsa|dsa|ecdsa|ed25519)$/,
  /(?:^|\/)ssh_host_[a-z0-9]+_key$/,
  /(?:^|\/)\.aws\/credentials$/,
  /(?:^|\/)\.docker\/config\.json$/,
  /(?:^|\/)\.kube\/config$/,
  /(?:^|\/)\.(?:netrc|npmrc|pypirc|pgpass|git-credentials|dockercfg|env)$/,
  /(?:^|\/)\.env\.(?!example|sample|template)[\w.-]+$/,
  /\.(?:p12|pfx|jks|keystore)$/,
];

/** Whether a file's name says that it holds secrets. */
export function isSecretFile(path: string): boolean {
  return SECRET_FILES.some((pattern) => pattern.test(path));
}

const SECRET_NAME =
  /(?:^|_)(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|APIKEY|API_KEY|ACCESS_KEY|PRIVATE_KEY)(?:_|$)/i;

/** Names of the variables, among `NAME=value` lines, whose names or values say that they are secrets. */
export function secretVariables(lines: readonly string[]): string[] {
  const names: string[] = [];
  for (const line of lines) {
    const separator = line.indexOf('=');
    if (separator < 1 || separator === line.length - 1) continue;
    const name = line.slice(0, separator);
    if (SECRET_NAME.test(name) || secretsIn(line).length > 0) names.push(name);
  }
  return names;
}
