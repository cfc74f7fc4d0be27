// Kernel sockets by the descriptor swap, over AF_UNIX in place of AF_VSOCK: the same code with another family.
import { randomInt } from 'node:crypto';
import { nativeTransport } from '../../../packages/vsock/dist/native-transport.js';

const AF_UNIX = 1;

export function swappedTransport(scope) {
  const encodeName = ({ port }) => {
    const name = Buffer.from(`__\0${scope}/16/${port}`, 'latin1');
    name.writeUInt16LE(AF_UNIX, 0);
    return name;
  };
  return nativeTransport({
    number: AF_UNIX,
    localCid: () => 16,
    encodeName,
    decodeName: (name) => ({ cid: 16, port: Number(Buffer.from(name).toString('latin1').split('/').at(-1)) }),
    ownName: () => encodeName({ port: randomInt(2 ** 16, 2 ** 31) }),
  });
}
