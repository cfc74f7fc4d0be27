import { endianness } from 'node:os';
import { localCid, setSocketOption } from '@nitro-enclaves/native';
import type { VsockAddress } from './address.ts';
import { VMADDR_PORT_ANY } from './address.ts';

/** A kernel address family whose names carry a CID and a port. */
export interface SocketFamily {
  /** Its number, as the kernel writes it into the first two bytes of every name. */
  readonly number: number;
  localCid(): number;
  encodeName(address: VsockAddress): Uint8Array;
  decodeName(name: Uint8Array): VsockAddress;
  /** The name to bind to before connecting, in families in which the kernel gives none by itself. */
  ownName?(): Uint8Array;
  /** Sets up a new socket, before it connects or listens; what a listener accepts is set up like it. */
  prepare?(descriptor: number): void;
  /** Tells the kernel for how long it may try; otherwise it has a limit of its own. */
  limitConnect?(descriptor: number, timeout: number): void;
}

const AF_VSOCK = 40;
const SOCKADDR_VM_LENGTH = 16;
const SO_VM_SOCKETS_BUFFER_SIZE = 0;
const SO_VM_SOCKETS_BUFFER_MAX_SIZE = 2;
const SO_VM_SOCKETS_CONNECT_TIMEOUT = 6;
/**
 * What a peer may send before we read: twice the kernel's default, so that a writer sleeps less often, and little enough
 * that a paused reader holds less than 1 MiB in all.
 */
const RECEIVE_BUFFER_BYTES = 512 * 1024;
const LITTLE_ENDIAN = endianness() === 'LE';

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `struct sockaddr_vm`: u16 family, u16 zero, u32 port, u32 CID, u8 flags, three zeros. */
function encodeSockaddrVm({ cid, port }: VsockAddress): Uint8Array {
  const name = new Uint8Array(SOCKADDR_VM_LENGTH);
  view(name).setUint16(0, AF_VSOCK, LITTLE_ENDIAN);
  view(name).setUint32(4, port === 0 ? VMADDR_PORT_ANY : port, LITTLE_ENDIAN);
  view(name).setUint32(8, cid, LITTLE_ENDIAN);
  return name;
}

function decodeSockaddrVm(name: Uint8Array): VsockAddress {
  if (name.byteLength < SOCKADDR_VM_LENGTH || nameFamily(name) !== AF_VSOCK) {
    throw new TypeError(`expected the name of an AF_VSOCK socket, found ${name.byteLength} bytes of another family`);
  }
  return { port: view(name).getUint32(4, LITTLE_ENDIAN), cid: view(name).getUint32(8, LITTLE_ENDIAN) };
}

/** `struct __kernel_old_timeval`: seconds and microseconds, 64 bits each on the processors that the addon is built for. */
function encodeTimeval(milliseconds: number): Uint8Array {
  const value = new Uint8Array(16);
  view(value).setBigInt64(0, BigInt(Math.trunc(milliseconds / 1000)), LITTLE_ENDIAN);
  view(value).setBigInt64(8, BigInt(milliseconds % 1000) * 1000n, LITTLE_ENDIAN);
  return value;
}

function encodeSize(bytes: number): Uint8Array {
  const value = new Uint8Array(8);
  view(value).setBigUint64(0, BigInt(bytes), LITTLE_ENDIAN);
  return value;
}

/** The family of the socket that is called `name`. */
export function nameFamily(name: Uint8Array): number {
  return view(name).getUint16(0, LITTLE_ENDIAN);
}

/** AF_VSOCK of the Linux kernel. */
export const vsockFamily: SocketFamily = {
  number: AF_VSOCK,
  localCid,
  encodeName: encodeSockaddrVm,
  decodeName: decodeSockaddrVm,
  prepare: (descriptor) => {
    const size = encodeSize(RECEIVE_BUFFER_BYTES);
    setSocketOption(descriptor, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, size);
    setSocketOption(descriptor, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, size);
  },
  // The kernel gives up after 2 s by itself.
  limitConnect: (descriptor, timeout) =>
    setSocketOption(descriptor, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, encodeTimeval(timeout)),
};
