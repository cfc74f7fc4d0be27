#!/usr/bin/env node
// Prepares, once, what the tests in QEMU need: QEMU with the `nitro-enclave` machine, a kernel, the vsock back end.
import { prepareRig, rigImpossible } from './rig/rig.mjs';

const reason = rigImpossible();
if (reason !== undefined) {
  console.error(`this machine cannot run the tests in QEMU: ${reason}`);
  process.exit(1);
}
const start = performance.now();
await prepareRig((what) => console.log(`[${((performance.now() - start) / 1000).toFixed(1)} s] ${what}`));
