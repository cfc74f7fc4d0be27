import { failBuild } from '../error.ts';
import type { ByteString } from '../tree/byte-path.ts';

/** Keywords and values of an extended header. An empty value takes an earlier one back. */
export type PaxRecords = Map<string, ByteString>;

function malformed(offset: number): never {
  return failBuild('BUILD_TAR', 'expected records of the form "<length> <keyword>=<value>" in a pax header', {
    offset,
  });
}

/** Decodes the records of an extended header, whose data start at `offset` of the archive. */
export function decodePax(data: Buffer, offset: number): PaxRecords {
  const records: PaxRecords = new Map();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const digits = space === -1 ? '' : data.toString('latin1', at, space);
    if (!/^[1-9]\d{0,8}$/.test(digits)) malformed(offset + at);
    const end = at + Number(digits);
    const record = data.toString('latin1', space + 1, end);
    const equals = record.indexOf('=');
    if (end > data.length || equals < 1 || !record.endsWith('\n')) malformed(offset + at);
    records.set(record.slice(0, equals), record.slice(equals + 1, -1));
    at = end;
  }
  return records;
}

/** A record's value as an unsigned integer; fractions (of times) are nobody's here. */
export function paxNumber(value: ByteString, offset: number): number {
  const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  return failBuild('BUILD_TAR', 'expected an integer up to 2^53 - 1 in a pax header', { offset });
}
