/** Continues a CRC-32/ISO-HDLC (zlib's crc32) over `bytes`; `previous` is 0 at the start. */
export type Crc32 = (bytes: Uint8Array, previous: number) => number;

const POLYNOMIAL = 0xedb88320;

function tableEntry(byte: number): number {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit += 1) remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL : remainder >>> 1;
  return remainder >>> 0;
}

/** Eight tables, so that eight bytes are taken at once: for platforms without zlib's own crc32. */
function makeTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => tableEntry(byte));
  const tables = [first];
  for (let slice = 1; slice < 8; slice += 1) {
    const before = tables[slice - 1] ?? first;
    tables.push(before.map((value) => (value >>> 8) ^ (first[value & 0xff] ?? 0)));
  }
  return tables;
}

/** A {@link Crc32} in plain JavaScript. */
export function createCrc32(): Crc32 {
  const tables = makeTables();
  const lookUp = (slice: number, byte: number): number => tables[slice]?.[byte & 0xff] ?? 0;
  return (bytes, previous) => {
    let crc = ~previous;
    let at = 0;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (; at + 8 <= bytes.length; at += 8) {
      const low = view.getUint32(at, true) ^ crc;
      const high = view.getUint32(at + 4, true);
      crc =
        lookUp(7, low) ^
        lookUp(6, low >>> 8) ^
        lookUp(5, low >>> 16) ^
        lookUp(4, low >>> 24) ^
        lookUp(3, high) ^
        lookUp(2, high >>> 8) ^
        lookUp(1, high >>> 16) ^
        lookUp(0, high >>> 24);
    }
    for (; at < bytes.length; at += 1) crc = (crc >>> 8) ^ lookUp(0, crc ^ (bytes[at] ?? 0));
    return ~crc >>> 0;
  };
}

/** Product of two polynomials modulo the CRC's own, bits reflected. */
function multiply(left: number, right: number): number {
  let product = 0;
  let factor = right;
  for (let mask = 0x8000_0000; mask !== 0; mask >>>= 1) {
    if (left & mask) product ^= factor;
    factor = factor & 1 ? (factor >>> 1) ^ POLYNOMIAL : factor >>> 1;
  }
  return product >>> 0;
}

/** x to the power of 8 × `length`, modulo the polynomial: what `length` bytes more do to a CRC. */
function shiftFactor(length: number): number {
  let power = 0x0080_0000; // x^8, bits reflected
  let factor = 0x8000_0000; // 1
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) factor = multiply(factor, power);
    power = multiply(power, power);
  }
  return factor;
}

/** CRC-32 of two pieces one after the other, from the CRC of each and the second one's length in bytes. */
export function combineCrc32(first: number, second: number, secondLength: number): number {
  return (multiply(shiftFactor(secondLength), first) ^ second) >>> 0;
}
