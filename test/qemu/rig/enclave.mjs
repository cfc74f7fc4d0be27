import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export const ENCLAVE_CID = 4;
/**
 * All that QEMU emulates but protection keys. V8 uses them, so the kernel writes the register of their rights whenever it
 * switches to or from Node, and QEMU forgets all its address translations each time, as no processor does.
 */
const PROCESSOR = 'max,pku=off';

/**
 * One instruction a nanosecond, one processor at a time, and no waiting while none has anything to do: what the guest then
 * measures is what it executes, whatever else the host does.
 */
const BY_INSTRUCTIONS = ['-icount', 'shift=0,sleep=off'];

/** Of a TSC that counts the nanoseconds of `BY_INSTRUCTIONS`. */
const KILOHERTZ_BY_INSTRUCTIONS = 1_000_000;

/** The clock rate of the host, which TCG hands through. A guest that measures it itself hangs at some boots. */
async function tscKilohertz() {
  const info = await readFile('/proc/cpuinfo', 'utf8');
  const megahertz = /^cpu MHz\s*:\s*([\d.]+)/m.exec(info)?.[1] ?? '2600';
  return Math.round(Number(megahertz) * 1000);
}

/**
 * What is appended to the image's own command line, and not measured. The TSC is the only good clock that the machine has:
 * with ticks alone the guest's time goes slower the busier the host is.
 */
async function appendedCmdline(byInstructions) {
  const kilohertz = byInstructions ? KILOHERTZ_BY_INSTRUCTIONS : await tscKilohertz();
  return `tsc_early_khz=${kilohertz} tsc=reliable reboot=t loglevel=4`;
}

async function whenThere(path, child) {
  while (!existsSync(path)) {
    if (child.exitCode !== null) throw new Error(`${path}: its program ended with exit code ${child.exitCode}`);
    await sleep(10);
  }
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

function machine({ identity }) {
  const options = Object.entries(identity).map(([name, value]) => `${name}=${value}`);
  // acpi=on: Debian's kernel finds virtio devices through ACPI only, not on the command line that QEMU writes without.
  return ['nitro-enclave', 'vsock=vsock', 'acpi=on', ...options].join(',');
}

/**
 * An image running in QEMU's `nitro-enclave` machine under software emulation. The host reaches it through a folder of
 * Unix sockets: `unixTransport({ folder, cid: 3 })` is its parent.
 */
export class QemuEnclave {
  /** Lines of the console so far. */
  console = [];
  /** Resolves when the enclave has ended, by itself or not. */
  ended;
  #children = [];

  /**
   * @param {{
   *   rig: { program: string, firmware: string, backend: string },
   *   image: string,
   *   folder: string,
   *   ports?: readonly number[],
   *   memory?: number,
   *   identity?: { id?: string, 'parent-role'?: string, 'parent-id'?: string },
   *   silenceLimit?: number,
   *   byInstructions?: boolean,
   *   onConsole?: (line: string) => void,
   * }} options `folder` holds the sockets, `ports` are the guest's that the host may connect to; `memory` in MiB.
   * An enclave whose console says nothing for `silenceLimit` ms (default ten minutes) is ended. `byInstructions` gives it a
   * clock that goes on by one nanosecond with each instruction.
   */
  static async boot({ ports = [], memory = 512, identity = {}, silenceLimit = 600_000, ...options }) {
    const enclave = new QemuEnclave();
    try {
      await enclave.#start({ ports, memory, identity, silenceLimit, ...options });
    } catch (error) {
      await enclave.terminate();
      throw error;
    }
    return enclave;
  }

  async #start({ rig, image, folder, ports, memory, identity, silenceLimit, byInstructions = false, onConsole }) {
    const control = join(folder, 'control');
    const backend = spawn(rig.backend, [control, folder, String(ENCLAVE_CID), ...ports.map(String)], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    this.#children.push(backend);
    await whenThere(control, backend);

    const append = await appendedCmdline(byInstructions);
    const qemu = spawn(
      rig.program,
      [
        ...['-L', rig.firmware, '-M', machine({ identity }), '-accel', 'tcg', '-cpu', PROCESSOR, '-smp', '2'],
        ...['-m', `${memory}M`, '-kernel', image, '-append', append, '-chardev', `socket,id=vsock,path=${control}`],
        ...(byInstructions ? BY_INSTRUCTIONS : []),
        ...['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#children.push(qemu);
    const silence = setTimeout(() => {
      this.console.push(`ended: nothing on the console for ${silenceLimit} ms`);
      qemu.kill('SIGKILL');
    }, silenceLimit);
    for (const stream of [qemu.stdout, qemu.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        silence.refresh();
        this.console.push(line.replace(/\r$/, ''));
        onConsole?.(line);
      });
    }
    this.ended = new Promise((resolve) => qemu.once('close', resolve));
    this.ended.then(() => clearTimeout(silence));
  }

  /** Ends it at once. */
  async terminate() {
    for (const child of this.#children.reverse()) await end(child);
  }
}
