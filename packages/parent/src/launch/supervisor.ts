import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { LaunchError } from './error.ts';
import type { ExitStatus } from './exit-status.ts';
import type { EnclaveLauncher, RunEnclaveOptions, RunningEnclave } from './launcher.ts';

/** When an enclave that ended is started again. */
export interface RestartPolicy {
  /** `always`; `on-failure`: unless its application exited with 0; `never`. Default `on-failure`. */
  readonly restart?: 'always' | 'on-failure' | 'never';
  /** Wait before the first restart, in ms; doubled for each that follows. Default 1000. */
  readonly initialDelay?: number;
  /** Longest wait, in ms. Default 60 000. */
  readonly maxDelay?: number;
  /** After so long in good health, from ready on, the next wait is the first again, in ms. Default 60 000. */
  readonly healthyAfter?: number;
  /** Most restarts in a row that never got healthy. Default: no limit. */
  readonly maxRestarts?: number;
}

/** Options of {@link superviseEnclave}. */
export interface SuperviseOptions extends RestartPolicy {
  readonly launcher: EnclaveLauncher;
  /** Its `signal` ends the supervision, as `stop()` does. */
  readonly enclave: RunEnclaveOptions;
  /**
   * Resolves once the application answers, such as after a first exchange over the transport, and is asked again while it
   * rejects: an enclave that has just been started takes no connections yet. Default: started is ready.
   */
  readonly ready?: (enclave: RunningEnclave, signal: AbortSignal) => Promise<void>;
  /** Longest until `ready` resolves, in ms. Default 60 000. */
  readonly readyTimeout?: number;
  /** How the enclave's application ended, if it was reported; see `ExitStatusListener`. */
  readonly exitStatus?: (cid: number) => ExitStatus | undefined;
  /** How often the launcher is asked whether the enclave still runs, and `ready` whether it is, in ms. Default 1000. */
  readonly pollInterval?: number;
}

/** Events of a supervised enclave. */
export interface SupervisorEvents {
  /** It runs, under this CID; not yet ready. */
  started: [enclave: RunningEnclave];
  /** It is ready. */
  ready: [enclave: RunningEnclave];
  /** It ended; `undefined` when it told nothing. */
  exited: [enclave: RunningEnclave, status: ExitStatus | undefined];
  /** A start failed, or it did not become ready. */
  failed: [error: Error];
  /** It is started again after `delay` ms. */
  restarting: [delay: number];
}

/** Told apart from a failing enclave: the supervisor was told to stop. */
class Stopped extends Error {}

/** A launcher that cannot say now what runs is asked again, so many times: an enclave in good health is not ended for that. */
const MAX_FAILED_LOOKS = 5;

/**
 * Keeps one enclave running: starts it, waits until it is ready, sees when it ends, and starts it again with a growing
 * delay. Its CID may be another after each restart: ask {@link EnclaveSupervisor.enclave}, or `waitReady()`.
 */
export class EnclaveSupervisor extends EventEmitter<SupervisorEvents> {
  readonly #options: SuperviseOptions;
  readonly #stop = new AbortController();
  #enclave: RunningEnclave | undefined;
  #isReady = false;
  /** When the enclave of now, or the last one, became ready, if it did. */
  #readyAt: number | undefined;
  #restarts = 0;
  /** Resolves when the supervision ends: stopped, not to be restarted, or out of restarts. Rejects never. */
  readonly done: Promise<void>;
  #failure: Error | undefined;

  constructor(options: SuperviseOptions) {
    super();
    this.#options = options;
    const { signal } = options.enclave;
    const end = () => this.#stop.abort(new Stopped("the enclave's signal was aborted"));
    if (signal?.aborted) end();
    signal?.addEventListener('abort', end, { once: true });
    this.done = this.#supervise().finally(() => signal?.removeEventListener('abort', end));
  }

  /** The enclave as it runs now, ready or not. */
  get enclave(): RunningEnclave | undefined {
    return this.#enclave;
  }

  /** Whether it runs and was found ready. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /**
   * The enclave once it is ready, however many restarts that takes.
   * @throws {LaunchError} `NOT_READY` when supervision ends before; the cause is why the last start failed.
   */
  async waitReady({ signal }: { signal?: AbortSignal } = {}): Promise<RunningEnclave> {
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      const finish = (outcome: () => void) => {
        this.off('ready', arrive);
        signal?.removeEventListener('abort', abort);
        outcome();
      };
      const arrive = (enclave: RunningEnclave) => finish(() => resolve(enclave));
      const abort = () => finish(() => reject(signal?.reason));
      if (this.#isReady && this.#enclave !== undefined) return resolve(this.#enclave);
      this.on('ready', arrive);
      signal?.addEventListener('abort', abort, { once: true });
      this.done.then(() => finish(() => reject(this.#notReady())));
    });
  }

  /** Ends the enclave and the supervision. */
  async stop(): Promise<void> {
    this.#stop.abort(new Stopped('the supervisor was stopped'));
    await this.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #notReady(): LaunchError {
    const details = this.#failure === undefined ? {} : { cause: this.#failure };
    return new LaunchError(
      'NOT_READY',
      'expected the enclave to become ready, found that it is no longer started again',
      details,
    );
  }

  async #supervise(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#readyAt = undefined;
      const status = await this.#runOnce();
      if (!this.#isRestarted(status) || !(await this.#backOff())) return;
    }
  }

  /** Not from its start: nitro-cli waits three minutes and more for an image that does not boot. */
  get #wasHealthy(): boolean {
    const { healthyAfter = 60_000 } = this.#options;
    return this.#readyAt !== undefined && performance.now() - this.#readyAt >= healthyAfter;
  }

  /** One life of the enclave. */
  async #runOnce(): Promise<ExitStatus | undefined> {
    try {
      const enclave = await this.#start();
      await this.#becomeReady(enclave);
      await this.#untilGone(enclave);
      return this.#ended(enclave);
    } catch (error) {
      await this.#giveUp(error);
      return undefined;
    }
  }

  async #start(): Promise<RunningEnclave> {
    const { launcher, enclave } = this.#options;
    this.#enclave = await launcher.runEnclave({ ...enclave, signal: this.#stop.signal });
    this.emit('started', this.#enclave);
    return this.#enclave;
  }

  async #becomeReady(enclave: RunningEnclave): Promise<void> {
    const { readyTimeout = 60_000 } = this.#options;
    const gone = new AbortController();
    const deadline = AbortSignal.timeout(readyTimeout);
    const signal = AbortSignal.any([this.#stop.signal, deadline, gone.signal]);
    const vanished = this.#untilGone(enclave, signal).then(() => {
      throw new LaunchError('ENCLAVE_EXITED', 'expected the enclave to become ready, found that it ended before');
    });
    const refusals: unknown[] = [];
    try {
      await Promise.race([rejectOn(signal), vanished, this.#askUntilReady(enclave, { signal, refusals })]);
    } catch (error) {
      throw error === deadline.reason ? notReadyWithin(readyTimeout, refusals[0] ?? error) : error;
    } finally {
      gone.abort();
    }
    this.#isReady = true;
    this.#readyAt = performance.now();
    this.emit('ready', enclave);
  }

  /** `refusals` holds the latest of them. */
  async #askUntilReady(
    enclave: RunningEnclave,
    { signal, refusals }: { signal: AbortSignal; refusals: unknown[] },
  ): Promise<void> {
    const { ready, pollInterval = 1000 } = this.#options;
    for (;;) {
      try {
        return await ready?.(enclave, signal);
      } catch (error) {
        refusals[0] = error;
      }
      await sleep(pollInterval, undefined, { signal });
    }
  }

  async #untilGone(enclave: RunningEnclave, signal: AbortSignal = this.#stop.signal): Promise<void> {
    const { pollInterval = 1000 } = this.#options;
    for (let failed = 0; ; ) {
      try {
        if (!(await this.#isRunning(enclave, signal))) return;
        failed = 0;
      } catch (error) {
        failed += 1;
        if (signal.aborted || failed > MAX_FAILED_LOOKS) throw error;
      }
      await sleep(pollInterval, undefined, { signal });
    }
  }

  async #isRunning({ EnclaveID }: RunningEnclave, signal: AbortSignal): Promise<boolean> {
    const enclaves = await this.#options.launcher.describeEnclaves({ signal });
    return enclaves.some((one) => one.EnclaveID === EnclaveID && one.State !== 'TERMINATING');
  }

  #ended(enclave: RunningEnclave): ExitStatus | undefined {
    const status = this.#options.exitStatus?.(enclave.EnclaveCID);
    this.#forget();
    this.emit('exited', enclave, status);
    return status;
  }

  #forget(): void {
    this.#enclave = undefined;
    this.#isReady = false;
  }

  /** A start that failed, an enclave that never got ready, or the end: nothing may be left running. */
  async #giveUp(error: unknown): Promise<void> {
    const enclave = this.#enclave;
    const failure = error instanceof Error ? error : new Error(String(error));
    if (enclave !== undefined) await this.#options.launcher.terminateEnclave(enclave.EnclaveID).catch(() => undefined);
    const status = enclave === undefined ? undefined : this.#options.exitStatus?.(enclave.EnclaveCID);
    this.#forget();
    if (enclave !== undefined) this.emit('exited', enclave, status);
    if (this.#stop.signal.aborted) return;
    this.#failure = failure;
    this.emit('failed', failure);
  }

  #isRestarted(status: ExitStatus | undefined): boolean {
    const { restart = 'on-failure' } = this.#options;
    const isSuccess = status !== undefined && 'exitCode' in status && status.exitCode === 0;
    return restart === 'always' || (restart === 'on-failure' && !isSuccess);
  }

  async #backOff(): Promise<boolean> {
    const { initialDelay = 1000, maxDelay = 60_000, maxRestarts = Number.POSITIVE_INFINITY } = this.#options;
    this.#restarts = this.#wasHealthy ? 0 : this.#restarts;
    if (this.#stop.signal.aborted || this.#restarts >= maxRestarts) return false;
    const delay = Math.min(maxDelay, initialDelay * 2 ** this.#restarts);
    this.#restarts += 1;
    this.emit('restarting', delay);
    return sleep(delay, true, { signal: this.#stop.signal }).catch(() => false);
  }
}

function notReadyWithin(timeout: number, cause: unknown): LaunchError {
  return new LaunchError('NOT_READY', `expected the enclave to become ready within ${timeout} ms, found it is not`, {
    cause,
  });
}

function rejectOn(signal: AbortSignal): Promise<never> | undefined {
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Starts `options.enclave` and keeps it running until `stop()`. */
export function superviseEnclave(options: SuperviseOptions): EnclaveSupervisor {
  return new EnclaveSupervisor(options);
}
