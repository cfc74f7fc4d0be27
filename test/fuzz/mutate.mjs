// Ways of spoiling an input. Each takes bytes and gives new ones, leaving the old as they were.
import { concatBytes } from '@nitro-enclaves/core';

const INTERESTING_BYTES = [
  0x00, 0x01, 0x17, 0x18, 0x1f, 0x20, 0x30, 0x40, 0x5f, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xf6, 0xf7, 0xff,
];

/** Counts and lengths at which readers go wrong, in both byte orders. */
const INTERESTING_NUMBERS = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0xffff_ffff];

function spliced(bytes, start, end, middle) {
  return concatBytes(bytes.subarray(0, start), middle, bytes.subarray(end));
}

function changed(bytes, random, change) {
  if (bytes.length === 0) return bytes;
  const copy = bytes.slice();
  const at = random.below(copy.length);
  copy[at] = change(copy[at]);
  return copy;
}

function range(bytes, random, longest) {
  const start = random.below(bytes.length + 1);
  return [start, Math.min(bytes.length, start + 1 + random.below(longest))];
}

function encodedNumber(random) {
  const view = new DataView(new ArrayBuffer(8));
  const littleEndian = random.below(2) === 0;
  const size = random.pick([2, 4, 8]);
  const number = random.pick(INTERESTING_NUMBERS);
  if (size === 2) view.setUint16(0, number, littleEndian);
  else if (size === 4) view.setUint32(0, number, littleEndian);
  else view.setBigUint64(0, BigInt(number), littleEndian);
  return new Uint8Array(view.buffer, 0, size);
}

const MUTATIONS = [
  (bytes, { random }) => changed(bytes, random, (byte) => byte ^ (1 << random.below(8))),
  (bytes, { random }) => changed(bytes, random, () => random.below(256)),
  (bytes, { random }) => changed(bytes, random, () => random.pick(INTERESTING_BYTES)),
  (bytes, { random }) => changed(bytes, random, (byte) => byte + (random.below(2) === 0 ? 1 : -1)),
  (bytes, { random }) => spliced(bytes, ...range(bytes, random, 16), new Uint8Array(0)),
  (bytes, { random }) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, { random, tokens }) => {
    const at = random.below(bytes.length + 1);
    return spliced(bytes, at, at, random.pick(tokens));
  },
  (bytes, { random, tokens }) => {
    const token = random.pick(tokens);
    const at = random.below(bytes.length + 1);
    return spliced(bytes, at, Math.min(bytes.length, at + token.length), token);
  },
  (bytes, { random }) => {
    const number = encodedNumber(random);
    const at = random.below(bytes.length + 1);
    return spliced(bytes, at, Math.min(bytes.length, at + number.length), number);
  },
  (bytes, { random }) => {
    const [start, end] = range(bytes, random, 64);
    return spliced(bytes, start, start, bytes.subarray(start, end));
  },
  (bytes, { random }) => {
    const at = random.below(bytes.length + 1);
    return spliced(bytes, at, at, new Uint8Array(1 + random.below(64)).fill(random.pick(INTERESTING_BYTES)));
  },
  (bytes, { random, corpus }) => {
    const other = random.pick(corpus);
    return concatBytes(
      bytes.subarray(0, random.below(bytes.length + 1)),
      other.subarray(random.below(other.length + 1)),
    );
  },
];

/** A good input or one of the corpus, spoiled one to four times; never longer than `longest` bytes. */
export function mutate({ random, seeds, corpus, tokens, longest }) {
  let bytes = random.pick(random.below(2) === 0 ? seeds : corpus);
  for (let count = 1 + random.below(4); count > 0; count -= 1)
    bytes = random.pick(MUTATIONS)(bytes, { random, corpus, tokens });
  return bytes.length > longest ? bytes.slice(0, longest) : bytes.slice();
}
