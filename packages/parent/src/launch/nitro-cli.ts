import { spawn } from 'node:child_process';
import { PassThrough, type Readable } from 'node:stream';
import { untilAborted } from '../proxy/until-aborted.ts';
import { LaunchError } from './error.ts';
import type {
  EnclaveDescription,
  EnclaveLauncher,
  EnclaveMeasurements,
  RunEnclaveOptions,
  RunningEnclave,
  WaitOptions,
} from './launcher.ts';
import { NitroCliError, nitroCliErrorCode } from './nitro-cli-error.ts';
import { expectEnclaveCid, expectRoomFor } from './sizing.ts';

/** How to call nitro-cli. */
export interface NitroCliOptions {
  /** Path or name of the command. Default `nitro-cli`. */
  readonly command?: string;
  /** Environment variables of the command. Default: those of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** Longest for a start, in ms. Default 600 000: nitro-cli itself waits 180 s and more for the heartbeat. */
  readonly runTimeout?: number;
  /** Longest for a build, in ms. Default 1 800 000. */
  readonly buildTimeout?: number;
  /** Longest for the other commands, in ms. Default 60 000. */
  readonly timeout?: number;
  /** Where the kernel tells of huge pages. Default `/sys/kernel/mm/hugepages`. */
  readonly hugepagesFolder?: string;
}

/** What `nitro-cli build-enclave` takes. */
export interface BuildEnclaveOptions extends WaitOptions {
  readonly dockerUri: string;
  readonly outputFile: string;
  readonly dockerDir?: string;
  readonly signingCertificate?: string;
  /** Path of a PEM file, or ARN of a KMS key. */
  readonly privateKey?: string;
  readonly name?: string;
  readonly version?: string;
  /** Path of a JSON file. */
  readonly metadata?: string;
}

const MAX_STDERR = 16_384;
const MAX_STDOUT = 16_777_216;

interface Invocation {
  readonly args: readonly string[];
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

function flag(name: string, value: string | number | undefined): string[] {
  return value === undefined ? [] : [name, String(value)];
}

/** nitro-cli as a typed launcher. One object for each instance: its starts are serialised. */
export class NitroCli implements EnclaveLauncher {
  readonly #options: NitroCliOptions;
  /** The start under way: two at once would fight for the heartbeat port (CID 3, port 9000). */
  #starting: Promise<unknown> = Promise.resolve();

  constructor(options: NitroCliOptions = {}) {
    this.#options = options;
  }

  /**
   * Builds an image from a Docker image; needs the Docker daemon. The package `eif` builds without.
   * @throws {NitroCliError} by nitro-cli's code. @throws {LaunchError} `NITRO_CLI_MISSING`, `NITRO_CLI_OUTPUT`, `NITRO_CLI_TIMEOUT`.
   */
  async buildEnclave(options: BuildEnclaveOptions): Promise<EnclaveMeasurements> {
    const args = [
      'build-enclave',
      ...flag('--docker-uri', options.dockerUri),
      ...flag('--output-file', options.outputFile),
      ...flag('--docker-dir', options.dockerDir),
      ...flag('--signing-certificate', options.signingCertificate),
      ...flag('--private-key', options.privateKey),
      ...flag('--name', options.name),
      ...flag('--version', options.version),
      ...flag('--metadata', options.metadata),
    ];
    const timeout = this.#options.buildTimeout ?? 1_800_000;
    const { Measurements } = await this.#json<{ Measurements: EnclaveMeasurements }>(
      { args, timeout, signal: options.signal },
      ['Measurements'],
    );
    return Measurements;
  }

  /**
   * Starts an enclave, after those whose start was asked for before, and after checking that it has room. Where a start is
   * given up (`signal`, `runTimeout`), nitro-cli is ended, but what it put into the background may still come up: the next
   * `describeEnclaves` tells.
   * @throws {LaunchError} `EIF_UNREADABLE`, `MEMORY_TOO_SMALL`, `HUGEPAGES_MISSING`, `ENCLAVE_CID`, and as `buildEnclave`.
   * @throws {NitroCliError} by nitro-cli's code.
   */
  runEnclave(options: RunEnclaveOptions): Promise<RunningEnclave> {
    const start = this.#starting.then(() => this.#runEnclave(options));
    this.#starting = start.catch(() => undefined);
    return options.signal === undefined ? start : untilAborted(start, options.signal);
  }

  async #runEnclave(options: RunEnclaveOptions): Promise<RunningEnclave> {
    const { eifPath, memoryMiB, cpuCount, enclaveCid, enclaveName, debugMode, signal } = options;
    signal?.throwIfAborted();
    expectEnclaveCid(enclaveCid);
    const { hugepagesFolder, runTimeout = 600_000 } = this.#options;
    await expectRoomFor({ eifPath, memoryMiB, ...(hugepagesFolder === undefined ? {} : { hugepagesFolder }) });
    const args = [
      'run-enclave',
      ...flag('--eif-path', eifPath),
      ...flag('--memory', memoryMiB),
      ...flag('--cpu-count', cpuCount),
      ...flag('--enclave-cid', enclaveCid),
      ...flag('--enclave-name', enclaveName),
      ...(debugMode === true ? ['--debug-mode'] : []),
    ];
    return this.#json<RunningEnclave>({ args, timeout: runTimeout, signal }, ['EnclaveID', 'EnclaveCID']);
  }

  /** @throws {NitroCliError} by nitro-cli's code. @throws {LaunchError} as `buildEnclave`. */
  async describeEnclaves({ signal }: WaitOptions = {}): Promise<readonly EnclaveDescription[]> {
    const invocation = { args: ['describe-enclaves'], timeout: this.#options.timeout ?? 60_000, signal };
    const list = await this.#json<EnclaveDescription[]>(invocation, []);
    if (Array.isArray(list)) return list;
    throw unexpectedOutput(invocation.args, 'no list');
  }

  /** @throws {NitroCliError} by nitro-cli's code. @throws {LaunchError} as `buildEnclave`. */
  async terminateEnclave(enclaveId: string, { signal }: WaitOptions = {}): Promise<void> {
    const args = ['terminate-enclave', '--enclave-id', enclaveId];
    await this.#json({ args, timeout: this.#options.timeout ?? 60_000, signal }, ['Terminated']);
  }

  /**
   * The console of an enclave in debug mode, as bytes. The stream fails with `NitroCliError` (`E44` without debug mode), and
   * ends when the enclave does, or when the signal is aborted.
   */
  console(enclaveId: string, { signal }: WaitOptions = {}): Readable {
    const output = new PassThrough();
    const child = spawn(this.#command, ['console', '--enclave-id', enclaveId], this.#spawnOptions(signal));
    const stderr = boundedText(child.stderr, MAX_STDERR);
    child.stdout.pipe(output, { end: false });
    const stop = () => {
      child.stdout.unpipe(output);
      output.end();
    };
    child.once('error', (error) => (signal?.aborted ? stop() : output.destroy(spawnError(error, this.#command))));
    child.once('close', (status) => {
      if (status === 0 || signal?.aborted) stop();
      else output.destroy(new NitroCliError(nitroCliErrorCode(stderr.text, status), stderr.text));
    });
    output.once('close', () => child.kill());
    return output;
  }

  get #command(): string {
    return this.#options.command ?? 'nitro-cli';
  }

  #spawnOptions(signal: AbortSignal | undefined): {
    env: NodeJS.ProcessEnv;
    signal?: AbortSignal;
    stdio: ['ignore', 'pipe', 'pipe'];
  } {
    const env = this.#options.env ?? process.env;
    return { env, stdio: ['ignore', 'pipe', 'pipe'], ...(signal === undefined ? {} : { signal }) };
  }

  /** nitro-cli's JSON, which goes to standard output; what people read goes to standard error. */
  async #json<Output>(invocation: Invocation, expected: readonly string[]): Promise<Output> {
    const text = await this.#run(invocation);
    let output: unknown;
    try {
      output = JSON.parse(text);
    } catch (cause) {
      throw unexpectedOutput(invocation.args, 'no JSON', cause);
    }
    const missing = expected.find((name) => typeof output !== 'object' || output === null || !(name in output));
    if (missing !== undefined) throw unexpectedOutput(invocation.args, `no ${missing}`);
    return output as Output;
  }

  #run({ args, timeout, signal }: Invocation): Promise<string> {
    const deadline = AbortSignal.timeout(timeout);
    const stop = signal === undefined ? deadline : AbortSignal.any([signal, deadline]);
    return new Promise((resolve, reject) => {
      const child = spawn(this.#command, args, this.#spawnOptions(stop));
      const stdout = boundedText(child.stdout, MAX_STDOUT);
      const stderr = boundedText(child.stderr, MAX_STDERR);
      child.once('error', (error) => {
        if (signal?.aborted) reject(signal.reason);
        else if (deadline.aborted) reject(overtime(args, timeout));
        else reject(spawnError(error, this.#command));
      });
      child.once('close', (status) => {
        if (status === 0) resolve(stdout.text);
        else reject(new NitroCliError(nitroCliErrorCode(stderr.text, status), stderr.text));
      });
    });
  }
}

/** Collects up to `most` characters, and lets the rest go by. */
function boundedText(stream: Readable, most: number): { text: string } {
  const collected = { text: '' };
  stream.setEncoding('utf8').on('data', (piece: string) => {
    collected.text += piece.slice(0, most - collected.text.length);
  });
  return collected;
}

function spawnError(cause: Error, command: string): LaunchError {
  return new LaunchError(
    'NITRO_CLI_MISSING',
    `expected the command ${command}, found none that can be started: install aws-nitro-enclaves-cli, or say where it is`,
    { cause },
  );
}

function overtime([name]: readonly string[], timeout: number): LaunchError {
  return new LaunchError(
    'NITRO_CLI_TIMEOUT',
    `expected nitro-cli ${name} to end within ${timeout} ms, found it still at work: it was stopped`,
  );
}

function unexpectedOutput([name]: readonly string[], found: string, cause?: unknown): LaunchError {
  return new LaunchError(
    'NITRO_CLI_OUTPUT',
    `expected the JSON of nitro-cli ${name} (version 1.2 or later), found ${found}`,
    cause === undefined ? {} : { cause },
  );
}
