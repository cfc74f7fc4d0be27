import { createHash, type KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseBundle } from './bundle.ts';
import type { ServerIdentity } from './identity.ts';
import { createIdentity } from './identity.ts';

/** Where identities come from, and where they go. */
export interface RenewalOptions {
  readonly host: string;
  /** Time between two looks at the bundle, in ms. */
  readonly interval: number;
  readonly fetch: (signal: AbortSignal) => Promise<Uint8Array>;
  readonly open: (sealed: { readonly sealedKey: Uint8Array; readonly signal: AbortSignal }) => Promise<KeyObject>;
  /** Takes an identity into service. */
  readonly use: (identity: ServerIdentity) => Promise<void> | void;
  readonly log: (line: string) => void;
  /** In ms since the epoch. Default: the clock. */
  readonly now?: () => number;
}

const ATTEMPT_TIMEOUT_MS = 60_000;
/** Until there is a first identity nothing is served, so the next try comes sooner. */
const FIRST_INTERVAL_MS = 5000;

/** Keeps the server's identity fresh: looks at the bundle again and again, and takes what is new and right. */
export class Renewal {
  readonly #options: RenewalOptions;
  #current: ServerIdentity | undefined;
  #taken: string | undefined;

  constructor(options: RenewalOptions) {
    this.#options = options;
  }

  /** Goes on until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { interval } = this.#options;
    while (!signal.aborted) {
      await this.attempt(signal);
      const pause = this.#current === undefined ? Math.min(interval, FIRST_INTERVAL_MS) : interval;
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Looks once. What goes wrong is logged, and leaves everything as it was. */
  async attempt(signal: AbortSignal): Promise<'unchanged' | 'renewed' | 'refused'> {
    const outcome = await this.#tryToLook(signal);
    const { log, now = Date.now } = this.#options;
    // Served on: clients say better than silence what is wrong.
    if (this.#current !== undefined && this.#current.notAfter <= now())
      log(`the certificate that is served has ended at ${new Date(this.#current.notAfter).toISOString()}`);
    return outcome;
  }

  async #tryToLook(signal: AbortSignal): Promise<'unchanged' | 'renewed' | 'refused'> {
    try {
      return await this.#look(AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)]));
    } catch (error) {
      this.#options.log(`not renewed: ${accountOf(error)}`);
      return 'refused';
    }
  }

  async #look(signal: AbortSignal): Promise<'unchanged' | 'renewed'> {
    const { host, fetch, open, use, log, now = Date.now } = this.#options;
    const bytes = await fetch(signal);
    const digest = createHash('sha256').update(bytes).digest('hex');
    // What was taken already needs no KMS; what was refused is tried again, since a key policy may have changed.
    if (digest === this.#taken) return 'unchanged';
    const { certificates, sealedKey } = parseBundle(bytes);
    const key = await open({ sealedKey, signal });
    const identity = createIdentity({ certificates, key }, { host, now: now(), current: this.#current });
    await use(identity);
    this.#current = identity;
    this.#taken = digest;
    log(`renewed: a certificate that is valid until ${new Date(identity.notAfter).toISOString()}`);
    return 'renewed';
  }
}

function accountOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const name = 'code' in error ? String(error.code) : error.name;
  return error.cause instanceof Error
    ? `${name} ${error.message} (${error.cause.message})`
    : `${name} ${error.message}`;
}
