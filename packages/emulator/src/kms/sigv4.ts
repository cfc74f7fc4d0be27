import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { KmsServiceError } from './service-error.ts';

/** A request as it came off the wire. */
export interface WireRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** In their order, names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** What an Authorization header of Signature Version 4 holds. */
export interface SigV4Authorization {
  readonly accessKeyId: string;
  /** YYYYMMDD. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly terminator: string;
  /** Lower case, in the order of the header. */
  readonly signedHeaders: readonly string[];
  /** 64 hexadecimal digits. */
  readonly signature: string;
}

/** What the signature is checked against. */
export interface SigV4Expectation {
  readonly region: string;
  readonly service: string;
  /** In ms since the epoch. */
  readonly now: number;
  readonly secretAccessKey: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const TERMINATOR = 'aws4_request';
const MAX_SKEW_MS = 5 * 60_000;
const PARAMETERS = ['Credential', 'Signature', 'SignedHeaders'] as const;

function sha256Hex(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

function hmac(key: string | Uint8Array, content: string): Uint8Array {
  return createHmac('sha256', key).update(content).digest();
}

function refuse(message: string): never {
  throw new KmsServiceError('InvalidSignatureException', message);
}

/** All values of one header, as the canonical request joins them: trimmed, runs of spaces made one, commas between. */
function headerValue({ headers }: WireRequest, name: string): string | undefined {
  const values = headers.filter(([own]) => own === name).map(([, value]) => value.trim().replace(/ +/g, ' '));
  return values.length === 0 ? undefined : values.join(',');
}

function incomplete(missing: readonly string[], header: string): KmsServiceError {
  const digest = createHash('sha256').update(header).digest('base64');
  const sentences = missing.map((name) => `Authorization header requires '${name}' parameter.`);
  return new KmsServiceError(
    'IncompleteSignatureException',
    `${sentences.join(' ')} (Hashed with SHA-256 and encoded with Base64) Authorization=${digest}`,
  );
}

function readParameters(header: string): Map<string, string> {
  const parameters = header.slice(header.indexOf(' ') + 1).split(',');
  return new Map(
    parameters.map((parameter) => {
      const [name = '', ...value] = parameter.trim().split('=');
      return [name, value.join('=')];
    }),
  );
}

/**
 * Reads the Authorization header.
 * @throws {KmsServiceError} `MissingAuthenticationTokenException`, `IncompleteSignatureException`
 */
export function readAuthorization(request: WireRequest): SigV4Authorization {
  const header = headerValue(request, 'authorization');
  if (header === undefined)
    throw new KmsServiceError('MissingAuthenticationTokenException', 'Missing Authentication Token');
  const algorithm = header.split(' ', 1)[0] ?? '';
  if (algorithm !== ALGORITHM) {
    throw new KmsServiceError(
      'IncompleteSignatureException',
      `Unsupported AWS 'algorithm': '${algorithm.slice(0, 32)}'.`,
    );
  }
  const parameters = readParameters(header);
  const missing = PARAMETERS.filter((name) => !parameters.get(name));
  if (missing.length > 0) throw incomplete(missing, header);
  const [accessKeyId = '', date = '', region = '', service = '', terminator = '', ...rest] = (
    parameters.get('Credential') ?? ''
  ).split('/');
  if (terminator === '' || rest.length > 0) {
    throw new KmsServiceError(
      'IncompleteSignatureException',
      'Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.',
    );
  }
  const signedHeaders = (parameters.get('SignedHeaders') ?? '').toLowerCase().split(';');
  return {
    accessKeyId,
    date,
    region,
    service,
    terminator,
    signedHeaders,
    signature: parameters.get('Signature') ?? '',
  };
}

/** ms since the epoch of `20260103T204028Z`. */
function parseBasicTime(text: string): number {
  const match = text.match(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/);
  if (match === null) return Number.NaN;
  const [year = 0, month = 0, day = 0, hour, minute, second] = match.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

function basicTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

/** The request's time in the basic form, from `X-Amz-Date`, else from `Date`. */
function requestTime(request: WireRequest): string {
  const date = headerValue(request, 'x-amz-date');
  if (date !== undefined) return date;
  const fallback = Date.parse(headerValue(request, 'date') ?? '');
  if (!Number.isNaN(fallback)) return basicTime(fallback);
  throw new KmsServiceError(
    'IncompleteSignatureException',
    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
  );
}

/** A captured request can be sent again for five minutes, no longer. */
function checkTime(time: string, now: number): void {
  const signedAt = parseBasicTime(time);
  if (Number.isNaN(signedAt)) refuse(`Date must be in ISO-8601 'basic format'. Got '${time.slice(0, 32)}'.`);
  const current = basicTime(now);
  if (signedAt < now - MAX_SKEW_MS) {
    refuse(`Signature expired: ${time} is now earlier than ${basicTime(now - MAX_SKEW_MS)} (${current} - 5 min.)`);
  }
  if (signedAt > now + MAX_SKEW_MS) {
    refuse(
      `Signature not yet current: ${time} is still later than ${basicTime(now + MAX_SKEW_MS)} (${current} + 5 min.)`,
    );
  }
}

function checkScope(
  { date, region, service, terminator }: SigV4Authorization,
  time: string,
  expected: SigV4Expectation,
): void {
  if (region !== expected.region) refuse(`Credential should be scoped to a valid region.`);
  if (service !== expected.service) refuse(`Credential should be scoped to correct service: '${expected.service}'.`);
  if (terminator !== TERMINATOR) {
    refuse(`Credential should be scoped with a valid terminator: '${TERMINATOR}', not '${terminator.slice(0, 32)}'.`);
  }
  if (date !== time.slice(0, 8)) {
    refuse(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${date.slice(0, 16)}' != '${time.slice(0, 8)}', from '${time}'.`,
    );
  }
}

/** A header that is not signed could have been put in by anybody on the way. */
function checkSignedHeaders(request: WireRequest, { signedHeaders }: SigV4Authorization): void {
  if (!signedHeaders.includes('host'))
    refuse("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  for (const [name] of request.headers) {
    if (name.startsWith('x-amz-') && !signedHeaders.includes(name)) {
      refuse(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
    }
  }
}

/** The declared hash is optional, but a false one is a lie about the body. */
function checkContentHash(request: WireRequest, bodyHash: string): void {
  const declared = headerValue(request, 'x-amz-content-sha256');
  if (declared !== undefined && declared !== bodyHash) {
    refuse('The provided x-amz-content-sha256 header does not match what was computed.');
  }
}

function encodeRfc3986(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function canonicalPath(path: string): string {
  return path.split('/').map(encodeRfc3986).join('/') || '/';
}

function canonicalQuery(query: string): string {
  const pairs = [...new URLSearchParams(query)].map(
    ([name, value]) => `${encodeRfc3986(name)}=${encodeRfc3986(value)}`,
  );
  return pairs.sort().join('&');
}

function canonicalRequest(request: WireRequest, { signedHeaders }: SigV4Authorization, bodyHash: string): string {
  const [path = '', query = ''] = request.target.split('?', 2);
  const headers = signedHeaders.map((name) => `${name}:${headerValue(request, name) ?? ''}\n`).join('');
  return [request.method, canonicalPath(path), canonicalQuery(query), headers, signedHeaders.join(';'), bodyHash].join(
    '\n',
  );
}

function calculateSignature(
  stringToSign: string,
  { date, region, service }: SigV4Authorization,
  secret: string,
): Uint8Array {
  const scope = [date, region, service, TERMINATOR];
  const signingKey = scope.reduce<string | Uint8Array>((key, part) => hmac(key, part), `AWS4${secret}`);
  return hmac(signingKey, stringToSign);
}

/**
 * Verifies a request's signature (Signature Version 4, AWS General Reference), over the bytes that came.
 * @throws {KmsServiceError} `InvalidSignatureException`, `IncompleteSignatureException`
 */
export function verifySignature(
  request: WireRequest,
  authorization: SigV4Authorization,
  expected: SigV4Expectation,
): void {
  const time = requestTime(request);
  checkScope(authorization, time, expected);
  checkTime(time, expected.now);
  checkSignedHeaders(request, authorization);
  const bodyHash = sha256Hex(request.body);
  checkContentHash(request, bodyHash);
  const { date, region, service, signature } = authorization;
  const scope = [date, region, service, TERMINATOR].join('/');
  const stringToSign = [ALGORITHM, time, scope, sha256Hex(canonicalRequest(request, authorization, bodyHash))].join(
    '\n',
  );
  const calculated = calculateSignature(stringToSign, authorization, expected.secretAccessKey);
  const given = Buffer.from(signature, 'hex');
  if (signature.length === 64 && given.length === calculated.length && timingSafeEqual(given, calculated)) return;
  refuse(
    'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
  );
}
