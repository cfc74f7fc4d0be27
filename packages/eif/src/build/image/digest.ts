import { createHash } from 'node:crypto';
import { failBuild } from '../error.ts';

/** `sha256:…` or `sha512:…`, in two parts. */
export interface Digest {
  readonly algorithm: 'sha256' | 'sha512';
  readonly hex: string;
}

const HEX_LENGTH: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha512', 128],
]);

/**
 * Takes a digest apart. What comes out is safe in a path.
 * @throws {EifBuildError} `BUILD_DIGEST`.
 */
export function parseDigest(text: string): Digest {
  const [algorithm = '', hex = '', ...rest] = text.split(':');
  if (rest.length === 0 && HEX_LENGTH.get(algorithm) === hex.length && /^[0-9a-f]+$/.test(hex)) {
    return { algorithm: algorithm as Digest['algorithm'], hex };
  }
  return failBuild('BUILD_DIGEST', `expected a digest as sha256:… or sha512:…, found ${JSON.stringify(text)}`);
}

/** Passes pieces on; at their end, their digest must be the expected one. */
export function* verified(pieces: Iterable<Uint8Array>, expected: string): Generator<Uint8Array> {
  const { algorithm, hex } = parseDigest(expected);
  const hash = createHash(algorithm);
  for (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
  expectDigest(hash.digest('hex'), hex, expected);
}

/** As {@link verified}, for pieces that come in time. */
export async function* verifiedAsync(pieces: AsyncIterable<Uint8Array>, expected: string): AsyncGenerator<Uint8Array> {
  const { algorithm, hex } = parseDigest(expected);
  const hash = createHash(algorithm);
  for await (const piece of pieces) {
    hash.update(piece);
    yield piece;
  }
  expectDigest(hash.digest('hex'), hex, expected);
}

function expectDigest(found: string, wanted: string, name: string): void {
  if (found !== wanted) failBuild('BUILD_DIGEST', `expected content of digest ${name}, found ${found}`);
}
