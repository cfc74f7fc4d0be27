import { randomUUID } from 'node:crypto';

export const AF_UNIX = 1;
export const AF_INET = 2;

/** `struct sockaddr_un` of an abstract name that nobody else has. */
export function unixName(label: string = randomUUID()): Uint8Array {
  const name = Buffer.from(`__\0native-check/${label}`, 'latin1');
  name.writeUInt16LE(AF_UNIX, 0);
  return name;
}

/** `struct sockaddr_un` of a path. */
export function pathName(path: string): Uint8Array {
  const name = Buffer.from(`__${path}`, 'latin1');
  name.writeUInt16LE(AF_UNIX, 0);
  return name;
}

/** `struct sockaddr_in` of a port of the loopback. */
export function loopbackName(port: number): Uint8Array {
  const name = Buffer.alloc(16);
  name.writeUInt16LE(AF_INET, 0);
  name.writeUInt16BE(port, 2);
  name.set([127, 0, 0, 1], 4);
  return name;
}

/** The port in a `struct sockaddr_in`. */
export function portOf(name: Uint8Array): number {
  return Buffer.from(name).readUInt16BE(2);
}
