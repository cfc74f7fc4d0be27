import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import type {
  EnclaveDescription,
  EnclaveLauncher,
  RunEnclaveOptions,
  RunningEnclave,
  WaitOptions,
} from '@nitro-enclaves/parent';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { answerHeartbeat } from './parent.ts';
import { ENCLAVE_CID, QemuEnclave } from './rig/enclave.mjs';
import type { prepareRig } from './rig/rig.mjs';

/** Processors of the rig's machine. */
const CPU_COUNT = 2;

/** Where a launcher's enclaves run. */
export interface QemuLauncherOptions {
  readonly rig: Awaited<ReturnType<typeof prepareRig>>;
  /** Holds the sockets: `unixTransport({ folder, cid: 3 })` is the parent. */
  readonly folder: string;
  /** Ports of the guest that the parent may connect to. */
  readonly ports?: readonly number[];
}

interface Running {
  readonly description: EnclaveDescription;
  readonly enclave: QemuEnclave;
}

/** Launches images in QEMU's `nitro-enclave` machine, one at a time, by the interface of nitro-cli's launcher. */
export class QemuLauncher implements EnclaveLauncher {
  readonly #options: QemuLauncherOptions;
  readonly #consoles = new Set<PassThrough>();
  #running: Running | undefined;
  #started = 0;

  constructor(options: QemuLauncherOptions) {
    this.#options = options;
  }

  /** Resolves after the heartbeat, as `nitro-cli run-enclave` does. */
  async runEnclave({ eifPath, memoryMiB, cpuCount, enclaveCid, debugMode, signal }: RunEnclaveOptions) {
    signal?.throwIfAborted();
    if (this.#running !== undefined) throw new Error('expected no other enclave, found one that runs');
    if (cpuCount !== CPU_COUNT || (enclaveCid ?? ENCLAVE_CID) !== ENCLAVE_CID)
      throw new RangeError(`expected ${CPU_COUNT} CPUs and CID ${ENCLAVE_CID}, found ${cpuCount} and ${enclaveCid}`);
    const enclave = await this.#boot(eifPath, memoryMiB, signal);
    this.#started += 1;
    const description: EnclaveDescription = {
      EnclaveID: `i-0123456789abcdef0-enc${this.#started.toString(16).padStart(16, '0')}`,
      ProcessID: process.pid,
      EnclaveCID: ENCLAVE_CID,
      NumberOfCPUs: CPU_COUNT,
      CPUIDs: [0, 1],
      MemoryMiB: memoryMiB,
      State: 'RUNNING',
      Flags: debugMode === true ? 'DEBUG_MODE' : 'NONE',
    };
    this.#running = { description, enclave };
    enclave.ended?.then(() => this.#end());
    return description satisfies RunningEnclave;
  }

  async describeEnclaves(): Promise<readonly EnclaveDescription[]> {
    return this.#running === undefined ? [] : [this.#running.description];
  }

  console(enclaveId: string, { signal }: WaitOptions = {}): Readable {
    const lines = new PassThrough(signal === undefined ? {} : { signal });
    if (this.#running?.description.EnclaveID === enclaveId) this.#consoles.add(lines);
    else lines.end();
    return lines;
  }

  async terminateEnclave(enclaveId: string): Promise<void> {
    if (this.#running?.description.EnclaveID === enclaveId) await this.#end();
  }

  async #boot(image: string, memory: number, signal: AbortSignal | undefined): Promise<QemuEnclave> {
    const { rig, folder, ports = [] } = this.#options;
    // The back end of the enclave before is gone, its socket is not.
    await rm(join(folder, 'control'), { force: true });
    let beat = (): void => {};
    const heartbeat = new Promise<void>((resolve) => {
      beat = resolve;
    });
    const listener = await answerHeartbeat(unixTransport({ folder, cid: VMADDR_CID_PARENT }), beat);
    const onConsole = (line: string) => {
      for (const lines of this.#consoles) lines.write(`${line}\n`);
    };
    try {
      const enclave = await QemuEnclave.boot({ rig, image, folder, ports, memory, onConsole });
      await booted(enclave, heartbeat, signal);
      return enclave;
    } finally {
      await listener.drain({ timeout: 1000 });
    }
  }

  async #end(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    for (const lines of this.#consoles) lines.end();
    this.#consoles.clear();
    await running?.enclave.terminate();
  }
}

/** Resolves with the heartbeat; an enclave that ends before, or is not wanted any more, is ended and told of. */
async function booted(enclave: QemuEnclave, heartbeat: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  const ended = enclave.ended?.then(() => {
    throw new Error(`expected a heartbeat, found:\n${enclave.console.slice(-20).join('\n')}`);
  });
  try {
    await Promise.race([heartbeat, ended, whenAborted(signal)]);
  } catch (error) {
    await enclave.terminate();
    throw error;
  }
}

/** Rejects when `signal` is aborted; never settles without one. */
function whenAborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
