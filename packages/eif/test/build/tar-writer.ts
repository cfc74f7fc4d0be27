/** One entry of a tar archive for a test, as it will stand there: nothing is checked. */
export interface TestTarEntry {
  readonly name: string;
  /** Type character. Default `0`, a file; `5` when the name ends with a slash. */
  readonly type?: string;
  readonly content?: string | Uint8Array;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly major?: number;
  readonly minor?: number;
  /** States another size than the content's. */
  readonly size?: number;
  /** Writes the header anew before its checksum is made. */
  readonly edit?: (header: Buffer) => void;
  /** Breaks the checksum. */
  readonly badChecksum?: boolean;
}

function octal(header: Buffer, value: number, at: number, length: number): void {
  header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
}

function headerOf(entry: TestTarEntry, size: number): Buffer {
  const header = Buffer.alloc(512);
  header.write(entry.name, 0, 100, 'latin1');
  octal(header, entry.mode ?? (entry.name.endsWith('/') ? 0o755 : 0o644), 100, 8);
  octal(header, entry.uid ?? 0, 108, 8);
  octal(header, entry.gid ?? 0, 116, 8);
  octal(header, size, 124, 12);
  octal(header, 0, 136, 12);
  header.write(entry.type ?? (entry.name.endsWith('/') ? '5' : '0'), 156, 'latin1');
  header.write(entry.link ?? '', 157, 100, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  octal(header, entry.major ?? 0, 329, 8);
  octal(header, entry.minor ?? 0, 337, 8);
  entry.edit?.(header);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, entry.badChecksum === true ? 1 : 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

function paddedTo512(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** A tar archive of these entries, closed by two zero blocks. */
export function tar(entries: readonly TestTarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '');
    return [headerOf(entry, entry.size ?? content.length), paddedTo512(content)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** A pax extended header with these records. */
export function pax(records: Readonly<Record<string, string>>, type: 'x' | 'g' = 'x'): TestTarEntry {
  const content = Object.entries(records).map(([key, value]) => {
    const rest = Buffer.byteLength(` ${key}=${value}\n`);
    let length = rest + 1;
    while (String(length).length + rest !== length) length = String(length).length + rest;
    return `${length} ${key}=${value}\n`;
  });
  return { name: 'pax', type, content: content.join('') };
}
