import { expectInteger } from './range.ts';

/** Where a vsock endpoint is: `cid` says which machine, `port` which service on it. Both are unsigned 32-bit numbers. */
export interface VsockAddress {
  readonly cid: number;
  readonly port: number;
}

/** Any CID: what a listener that answers on all of this machine's CIDs binds to. Never a destination. */
export const VMADDR_CID_ANY = 0xffff_ffff;
/** Any port: asks the kernel to choose one. A `port` of 0 asks for the same, as with `net.Server`. */
export const VMADDR_PORT_ANY = 0xffff_ffff;
/** The hypervisor itself. On Nitro a parent reads enclave consoles from it; most programs never speak with it. */
export const VMADDR_CID_HYPERVISOR = 0;
/** This machine, through the loopback; only where the kernel has `vsock_loopback`. */
export const VMADDR_CID_LOCAL = 1;
/** The machine that runs the hypervisor, in general vsock. On Nitro the parent instance is not this but 3. */
export const VMADDR_CID_HOST = 2;
/** The parent instance, as every Nitro enclave sees it, and what the parent itself binds to (nitro-cli's name). */
export const VMADDR_CID_PARENT = 3;

const NAMES: ReadonlyMap<number, string> = new Map([
  [VMADDR_CID_HYPERVISOR, 'hypervisor(0)'],
  [VMADDR_CID_LOCAL, 'local(1)'],
  [VMADDR_CID_HOST, 'host(2)'],
  [VMADDR_CID_ANY, 'any'],
]);

/** A CID as people read it: `vm(16)`, `host(2)`, `hypervisor(0)`, `local(1)`, `any`. */
export function formatCid(cid: number): string {
  return NAMES.get(cid) ?? `vm(${cid})`;
}

/** An address as people read it: `vm(16):5000`. */
export function formatVsockAddress({ cid, port }: VsockAddress): string {
  return `${formatCid(cid)}:${port}`;
}

/** Refuses what no connection can be made to: VMADDR_CID_ANY, port 0, VMADDR_PORT_ANY, and what is no 32-bit number. */
export function expectDestination({ cid, port }: VsockAddress): void {
  expectPeer(cid);
  expectInteger('port', port, 1, VMADDR_PORT_ANY - 1);
}

/** Refuses what cannot be listened on. 0 and VMADDR_PORT_ANY both ask for a port of the kernel's choice. */
export function expectListenable({ cid, port }: VsockAddress): void {
  expectInteger('cid', cid, 0, VMADDR_CID_ANY);
  expectInteger('port', port, 0, VMADDR_PORT_ANY);
}

/** Refuses what no machine has as its own CID: the reserved 0 and 1, and VMADDR_CID_ANY. */
export function expectMachine(cid: number): void {
  expectInteger('cid', cid, VMADDR_CID_HOST, VMADDR_CID_ANY - 1);
}

/** Refuses what no peer has as its CID. */
export function expectPeer(cid: number): void {
  expectInteger('cid', cid, 0, VMADDR_CID_ANY - 1);
}
