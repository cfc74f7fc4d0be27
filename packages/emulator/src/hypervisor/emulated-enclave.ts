import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { EmulatorError } from '../error.ts';
import type { ImageMeasurements } from '../nsm/enclave-identity.ts';
import { isSystemError } from '../system-error.ts';
import { ConsoleLog } from './console-log.ts';
import type { SpawnPlan } from './isolation.ts';
import type {
  DescribeEnclaveOutput,
  MetadataOutput,
  RunEnclaveOutput,
  TerminateEnclaveOutput,
} from './nitro-cli-output.ts';
import { HASH_ALGORITHM } from './nitro-cli-output.ts';
import type { EnclaveExit } from './program.ts';
import type { EnclaveSettings } from './run-options.ts';

/** What an enclave is made of. */
export interface EnclaveParts {
  readonly settings: EnclaveSettings;
  /** The module id, which nitro-cli calls EnclaveID. */
  readonly enclaveId: string;
  readonly measurements: ImageMeasurements;
  readonly metadata: MetadataOutput;
  readonly plan: SpawnPlan;
  readonly workingDirectory: string;
  /** Takes away what the enclave leaves. */
  cleanUp(exit: EnclaveExit): Promise<void>;
}

/** What a description of an enclave is to hold. */
export interface DescribeOptions {
  /** Whether it holds what the image says of itself. Default false. */
  readonly metadata?: boolean | undefined;
}

/** How long the console is read after the program has ended: what it wrote last is there already. */
const OUTLIVED_MS = 1000;

const ZERO_PCR = '0'.repeat(96);

/** An application that runs as an enclave. Its JSON is that of `nitro-cli run-enclave`. */
export class EmulatedEnclave {
  readonly enclaveId: string;
  readonly name: string;
  readonly cid: number;
  readonly processId: number;
  /** Resolves when the program has ended and nothing of the enclave is left. */
  readonly exited: Promise<EnclaveExit>;
  readonly #parts: EnclaveParts;
  readonly #process: ChildProcess;
  readonly #console: ConsoleLog = new ConsoleLog();
  #terminated = false;
  /** The program has ended, and what it leaves is being taken away. */
  #isEnding = false;

  private constructor(parts: EnclaveParts, process: ChildProcess, processId: number) {
    this.#parts = parts;
    this.#process = process;
    this.enclaveId = parts.enclaveId;
    this.name = parts.settings.name;
    this.cid = parts.settings.cid;
    this.processId = processId;
    process.stdout?.on('data', (bytes: Uint8Array) => this.#console.write(bytes));
    process.stderr?.on('data', (bytes: Uint8Array) => this.#console.write(bytes));
    this.exited = this.#end();
    // Told to whoever waits for it; nobody has to.
    this.exited.catch(() => undefined);
  }

  /** @throws {EmulatorError} `EMULATOR_COMMAND` when no process can be started. */
  static async start(parts: EnclaveParts): Promise<EmulatedEnclave> {
    const { plan, workingDirectory } = parts;
    const child = spawn(plan.file, plan.arguments, {
      env: plan.environment,
      cwd: workingDirectory,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: whatever it starts ends with it.
      detached: true,
    });
    try {
      await once(child, 'spawn');
    } catch (cause) {
      throw new EmulatorError('EMULATOR_COMMAND', `expected to start ${plan.file} in ${workingDirectory}`, { cause });
    }
    return new EmulatedEnclave(parts, child, child.pid ?? 0);
  }

  /** What `nitro-cli run-enclave` prints. */
  toJSON(): RunEnclaveOutput {
    const { memoryMiB, cpuCount } = this.#parts.settings;
    return {
      EnclaveName: this.name,
      EnclaveID: this.enclaveId,
      ProcessID: this.processId,
      EnclaveCID: this.cid,
      NumberOfCPUs: cpuCount,
      // CPU 0 and its sibling are the parent's.
      CPUIDs: Array.from({ length: cpuCount }, (_, index) => index + 1),
      MemoryMiB: memoryMiB,
    };
  }

  /** What `nitro-cli describe-enclaves` prints of it. The measurements are the image's, in debug mode too. */
  describe({ metadata = false }: DescribeOptions = {}): DescribeEnclaveOutput {
    const { settings, measurements } = this.#parts;
    const { PCR0, PCR1, PCR2, PCR8 } = measurements;
    return {
      ...this.toJSON(),
      State: this.#terminated || this.#isEnding ? 'TERMINATING' : 'RUNNING',
      Flags: settings.debugMode ? 'DEBUG_MODE' : 'NONE',
      Measurements: {
        HashAlgorithm: HASH_ALGORITHM,
        PCR0,
        PCR1,
        PCR2,
        ...(PCR8 !== undefined && PCR8 !== ZERO_PCR && { PCR8 }),
      },
      ...(metadata && this.#parts.metadata),
    };
  }

  /**
   * What the application wrote lately and writes from now on, until the enclave ends.
   * @throws {EmulatorError} `EMULATOR_CONSOLE` unless the enclave is in debug mode, as nitro-cli's E44.
   */
  console(): Readable {
    if (this.#parts.settings.debugMode) return this.#console.read();
    throw new EmulatorError(
      'EMULATOR_CONSOLE',
      `expected an enclave in debug mode, found ${this.enclaveId}: the console of any other cannot be read. Run it with debugMode (--debug-mode)`,
    );
  }

  /** Ends the enclave at once, as the hypervisor does: no signal that a program could handle. */
  async terminate(): Promise<TerminateEnclaveOutput> {
    this.kill();
    await this.exited;
    return { EnclaveName: this.name, EnclaveID: this.enclaveId, Terminated: true };
  }

  /** The part of {@link terminate} that waits for nothing. */
  kill(): void {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#terminated = true;
    this.#killGroup();
  }

  async #end(): Promise<EnclaveExit> {
    const closed = once(this.#process, 'close');
    const [exitCode, signal] = await once(this.#process, 'exit');
    const exit: EnclaveExit = { exitCode, signal, terminated: this.#terminated };
    this.#killGroup();
    this.#isEnding = true;
    const hangUp = setTimeout(() => this.#hangUp(), OUTLIVED_MS);
    try {
      await closed;
      clearTimeout(hangUp);
      await this.#parts.cleanUp(exit);
    } finally {
      this.#console.end();
    }
    return exit;
  }

  /** Whoever has left the group and holds on to the console would keep the enclave from ending. */
  #hangUp(): void {
    this.#process.stdout?.destroy();
    this.#process.stderr?.destroy();
  }

  /** The program and, where there are no namespaces to end with it, what it started and left. */
  #killGroup(): void {
    try {
      process.kill(-this.processId, 'SIGKILL');
    } catch (error) {
      // Nobody is left.
      if (!isSystemError(error, 'ESRCH')) throw error;
    }
  }
}
