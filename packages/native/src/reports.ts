import type { Addon, Report } from './addon.ts';
import { addon } from './addon.ts';
import { expectSuccess } from './error.ts';

/** Where the reports of the addon go, and who of their receivers keeps the process alive. */
export class Reports {
  readonly #addon: Addon;
  readonly #receivers = new Map<number, Report>();
  readonly #holding = new Set<number>();

  constructor(native: Addon) {
    this.#addon = native;
    const report: Report = (id, result, peer, local) => this.#receivers.get(id)?.(id, result, peer, local);
    expectSuccess('epoll_create1', native.start(report));
  }

  add(id: number, receiver: Report): void {
    this.#receivers.set(id, receiver);
    this.hold(id);
  }

  remove(id: number): void {
    this.#receivers.delete(id);
    this.release(id);
  }

  hold(id: number): void {
    if (!this.#receivers.has(id)) return;
    this.#holding.add(id);
    if (this.#holding.size === 1) this.#addon.hold(true);
  }

  release(id: number): void {
    if (this.#holding.delete(id) && this.#holding.size === 0) this.#addon.hold(false);
  }
}

let started: Reports | undefined;

/**
 * The reports of this thread; the first call starts the addon's epoll thread.
 * @throws {SystemError} `EMFILE`, `ENOMEM` when there is no descriptor or thread for it; the next call tries again.
 */
export function reports(): Reports {
  started ??= new Reports(addon());
  return started;
}
