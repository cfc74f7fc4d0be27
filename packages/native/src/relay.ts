import { load } from './addon.ts';
import { expectSuccess } from './error.ts';

/** What src/relay/module.c exports. Numbers below zero are `-errno`. */
interface RelayAddon {
  /** Starts the threads that move the bytes; the end of each pair is reported to `report`. Once. */
  start(report: (id: number, end: number, bytesForward: number, bytesBack: number) => void): number;
  /** Whether pairs keep the process alive. */
  hold(on: boolean): void;
  /** Id of the pair, which has duplicates of both descriptors. One report. */
  join(from: number, to: number, idleTimeout: number, forward: Uint8Array, back: Uint8Array): number;
  breakOff(id: number): void;
}

/** How a relayed connection ended. */
export interface RelayOutcome {
  /** `closed`: both sides ended in good order; `reset`: one side broke off; `idle`: nothing moved for too long. */
  readonly end: 'closed' | 'reset' | 'idle';
  /** Bytes from the side that connected to the one that was connected to, and back. */
  readonly bytesForward: number;
  readonly bytesBack: number;
}

/** What is to be known of two sockets beside their descriptors. */
export interface RelayDescriptorsOptions {
  /** ms without a byte in either direction, after which both are broken off; 0: no limit. */
  readonly idleTimeout: number;
  /** What has been read of `from` already, and goes to `to` before all else; at most 1 MiB. */
  readonly forward?: Uint8Array | undefined;
  /** The same of `to`. */
  readonly back?: Uint8Array | undefined;
}

/** Two sockets that are being relayed. */
export interface DescriptorRelay {
  readonly outcome: Promise<RelayOutcome>;
  /** Breaks both off; the outcome is `reset`, unless there is one already. */
  breakOff(): void;
}

/** `enum end` of src/relay/pair.h, less the first, which is no end. */
const ENDS = ['closed', 'reset', 'idle'] as const;
const NOTHING = new Uint8Array(0);

/** The relay of this JavaScript thread, and whom it tells of what. */
class Relay {
  readonly #addon: RelayAddon = load(`${process.platform}-${process.arch}`, 'nitro-enclaves-relay.node');
  readonly #ended = new Map<number, (outcome: RelayOutcome) => void>();

  constructor() {
    expectSuccess(
      'epoll_create1',
      this.#addon.start((id, end, bytesForward, bytesBack) => {
        this.#ended.get(id)?.({ end: ENDS[end - 1] ?? 'reset', bytesForward, bytesBack });
        this.#ended.delete(id);
        if (this.#ended.size === 0) this.#addon.hold(false);
      }),
    );
  }

  join(from: number, to: number, { idleTimeout, forward, back }: RelayDescriptorsOptions): DescriptorRelay {
    const id = expectSuccess('dup', this.#addon.join(from, to, idleTimeout, forward ?? NOTHING, back ?? NOTHING));
    if (this.#ended.size === 0) this.#addon.hold(true);
    return {
      outcome: new Promise((resolve) => this.#ended.set(id, resolve)),
      breakOff: () => this.#addon.breakOff(id),
    };
  }
}

let started: Relay | undefined;

/**
 * Joins two connected stream sockets until both have ended, on threads of the addon's own: each side's end is passed on
 * while the other side may go on sending (half-close), and no side is read faster than the other takes (at most 256 KiB of
 * each direction are held). When one breaks off, so does the other, by a reset where the family knows that.
 *
 * The relay works on duplicates: both descriptors stay the caller's, who reads and writes nothing more, and closes them
 * when there is an outcome.
 * @throws {SystemError} `EBADF`, `ENOTSOCK`, `EPROTOTYPE` for what is no stream socket; `EINVAL` for a time-out below zero or
 * more than 1 MiB of first bytes; `EMFILE`, `ENOMEM`. Nothing has been sent then.
 * @throws {NativeUnavailableError} on a machine that the addon is not built for.
 */
export function relayDescriptors(from: number, to: number, options: RelayDescriptorsOptions): DescriptorRelay {
  started ??= new Relay();
  return started.join(from, to, options);
}
