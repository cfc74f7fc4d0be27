import type { Addon, Report } from './addon.ts';
import { addon } from './addon.ts';

/** Where the reports of the addon go, and who of their receivers keeps the process alive. */
class Reports {
  readonly #addon: Addon;
  readonly #receivers = new Map<number, Report>();
  readonly #holding = new Set<number>();

  constructor(native: Addon) {
    this.#addon = native;
    native.start((id, result, peer, local) => this.#receivers.get(id)?.(id, result, peer, local));
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

/** The reports of this thread; the first call starts the addon's epoll thread. */
export function reports(): Reports {
  started ??= new Reports(addon());
  return started;
}
