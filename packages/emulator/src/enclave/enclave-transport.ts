import type {
  Transport,
  VsockConnectOptions,
  VsockServer,
  VsockServerOptions,
  VsockSocket,
} from '@nitro-enclaves/vsock';
import { unixTransport, VMADDR_CID_LOCAL, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { unreachable } from './unreachable.ts';

/**
 * The transport of an emulated enclave. Like a real one it reaches its parent and itself and nobody else, and nobody else
 * reaches it ("Considerations", Nitro Enclaves User Guide).
 */
export function enclaveTransport(options: { folder: string; cid: number }): Transport {
  const transport = unixTransport(options);
  const reachable = [VMADDR_CID_PARENT, VMADDR_CID_LOCAL, options.cid];
  return {
    localCid: transport.localCid,
    connect: async (target: VsockConnectOptions): Promise<VsockSocket> => {
      if (Number.isInteger(target.cid) && !reachable.includes(target.cid)) throw unreachable(target);
      return transport.connect(target);
    },
    createServer: (
      { allowedCids = reachable, ...rest }: VsockServerOptions = {},
      handler?: (socket: VsockSocket) => void,
    ): VsockServer => transport.createServer({ ...rest, allowedCids }, handler),
  };
}
