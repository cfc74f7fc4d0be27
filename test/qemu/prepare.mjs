#!/usr/bin/env node
// Prepares, once, what the tests in QEMU need: QEMU with the `nitro-enclave` machine, a kernel, the vsock back end.
import { prepareKernel } from './rig/kernel.mjs';
import { prepareQemu } from './rig/qemu.mjs';

const start = Date.now();
const done = (what) => console.log(`[${((Date.now() - start) / 1000).toFixed(1)} s] ${what}`);

const { kernel } = await prepareKernel();
done(`kernel: ${kernel}`);
const { program } = await prepareQemu();
done(`QEMU: ${program}`);
