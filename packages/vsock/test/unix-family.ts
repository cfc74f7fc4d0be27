import { randomInt, randomUUID } from 'node:crypto';
import type { VsockAddress } from '@nitro-enclaves/vsock';
import { VMADDR_CID_ANY, VMADDR_PORT_ANY } from '@nitro-enclaves/vsock';
import type { SocketFamily } from '../src/socket-family.ts';

const AF_UNIX = 1;

/** One machine's view of AF_UNIX sockets, whose abstract names are CID and port: what AF_VSOCK is in a real enclave. */
export function unixFamily(cid: number, scope: string = randomUUID()): SocketFamily {
  const encodeName = ({ cid: named, port }: VsockAddress): Uint8Array => {
    const chosen = port === 0 || port === VMADDR_PORT_ANY ? randomInt(2 ** 16, 2 ** 31) : port;
    const machine = named === VMADDR_CID_ANY ? cid : named;
    const name = Buffer.from(`__\0${scope}/${machine}/${chosen}`, 'latin1');
    name.writeUInt16LE(AF_UNIX, 0);
    return name;
  };
  return {
    number: AF_UNIX,
    localCid: () => cid,
    encodeName,
    decodeName: (name) => {
      const [, machine, port] = Buffer.from(name).toString('latin1').split('/').map(Number);
      return { cid: machine ?? Number.NaN, port: port ?? Number.NaN };
    },
    ownName: () => encodeName({ cid, port: 0 }),
  };
}
