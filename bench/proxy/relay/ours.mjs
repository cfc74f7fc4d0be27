// A proxy as the service runs it, in a process of its own: from port 8000 of the parent to one TCP port of this machine.
import { ProxyService } from '@nitro-enclaves/parent';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';

const [folder, port] = process.argv.slice(2);
const to = { kind: 'tcp', host: '127.0.0.1', port: Number(port) };
const proxy = new ProxyService({
  transport: unixTransport({ folder, cid: VMADDR_CID_PARENT }),
  config: {
    routes: [{ direction: 'egress', name: 'bench', vsockPort: 8000, to, allow: [], cids: undefined }],
    allowList: [{ address: '127.0.0.1', port: Number(port) }],
  },
});
await proxy.start();
