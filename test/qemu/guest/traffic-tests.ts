import assert from 'node:assert/strict';
import { VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { SCENARIOS } from '../traffic/scenarios.ts';
import { FIRST_PORT } from '../traffic/services.ts';
import type { GuestTest } from './guest-test.ts';

const UNUSED_PORT = 7999;

/** The visits of the enclave to the parent. */
const outward: readonly GuestTest[] = SCENARIOS.map(({ name, timeout, run }) => ({
  name: `enclave to parent: ${name}`,
  needs: 'parent',
  timeout,
  run: ({ transport, parent }) => {
    const { tls, load } = parent().settings;
    const visited = { transport, cid: VMADDR_CID_PARENT, firstPort: FIRST_PORT.PARENT, certificate: tls.certificate };
    return run({ ...visited, ...load.outward });
  },
}));

/** The visits of the parent to the enclave, which the parent makes when it is asked to. */
const inward: readonly GuestTest[] = SCENARIOS.map(({ name, timeout }) => ({
  name: `parent to enclave: ${name}`,
  needs: 'parent',
  timeout,
  run: ({ parent }) => parent().visit(name),
}));

const refusal: GuestTest = {
  name: 'enclave to parent: where nobody listens the connection is refused',
  async run({ transport }) {
    const start = performance.now();
    const connecting = transport.connect({ cid: VMADDR_CID_PARENT, port: UNUSED_PORT });
    await assert.rejects(connecting, (error: NodeJS.ErrnoException) => {
      assert.ok(['ECONNREFUSED', 'ECONNRESET'].includes(error.code ?? ''), error.code);
      return true;
    });
    return `after ${(performance.now() - start).toFixed(0)} ms`;
  },
};

export const trafficTests: readonly GuestTest[] = [refusal, ...outward, ...inward];
