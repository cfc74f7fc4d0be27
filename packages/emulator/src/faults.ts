import type { Seed } from './seed.ts';

/** When a fault happens. Every occasion (a connection, a request) is counted; where chance decides, the seed decides. */
export interface FaultOccasions {
  /** Occasions that pass before the first fault. Default 0. */
  readonly after?: number;
  /** Most faults of this kind; then it is over. Default: no limit. */
  readonly times?: number;
  /** Chance of a fault on each occasion, from 0 to 1. Default 1. */
  readonly chance?: number;
}

/** What the parent does to the bytes between an enclave and the world. An occasion is a connection. */
export type TransportFault = FaultOccasions & {
  /** Port of the listener; default: every port. */
  readonly port?: number;
  /** Whose bytes suffer. Default `to-enclave`. */
  readonly direction?: 'to-enclave' | 'to-parent';
} & (
    | {
        /** Holds each piece back for `ms`. */
        readonly kind: 'delay';
        readonly ms: number;
      }
    | {
        /** Ends the stream in good order after `bytes`: what follows never arrives. */
        readonly kind: 'truncate';
        readonly bytes: number;
      }
    | {
        /** Cuts the connection after `bytes`, mid-message. */
        readonly kind: 'drop';
        readonly bytes: number;
      }
    | {
        /**
         * Goes silent after `bytes`: what follows never arrives, nor does the end. The connection stays open as long as the
         * enclave and the parent's listener let it.
         */
        readonly kind: 'stall';
        readonly bytes: number;
      }
    | {
        /** Changes one bit at offset `at` (bytes); without it, at an offset below 4096 that the seed chooses. */
        readonly kind: 'corrupt';
        readonly at?: number;
      }
    | {
        /** Exchanges the `bytes` at offset 0 with the `bytes` after them. */
        readonly kind: 'swap';
        readonly bytes: number;
      }
    | {
        /** Delivers the first `bytes` once more. */
        readonly kind: 'replay';
        readonly bytes: number;
      }
  );

/** What the Nitro Secure Module does instead of its work. An occasion is a request. */
export type NsmFault = FaultOccasions &
  (
    | {
        /** Answers after `ms`. */
        readonly kind: 'slow';
        readonly ms: number;
      }
    | {
        /** Answers with an error of the NSM, such as `InternalError`. */
        readonly kind: 'error';
        readonly error: NsmErrorName;
      }
    | {
        /** Gives a document that was made `ageMs` ago, with the chain of then. */
        readonly kind: 'stale-document';
        readonly ageMs: number;
      }
    | {
        /** Gives a document of another enclave: other PCRs, another module, under the same root. */
        readonly kind: 'foreign-document';
      }
    | {
        /** Gives a document whose chain ends in a root that nobody knows. */
        readonly kind: 'foreign-root';
      }
    | {
        /** Gives a document whose signature and certificates are zeros, as QEMU does. */
        readonly kind: 'unsigned-document';
      }
  );

/** Errors of the Nitro Secure Module, in the order of their numbers. */
export const NSM_ERROR_NAMES = [
  'InvalidArgument',
  'InvalidIndex',
  'InvalidResponse',
  'ReadOnlyIndex',
  'InvalidOperation',
  'BufferTooSmall',
  'InputTooLarge',
  'InternalError',
] as const;

/** One of them. */
export type NsmErrorName = (typeof NSM_ERROR_NAMES)[number];

/** What KMS, or somebody in its place, does instead of its work. An occasion is a request. */
export type KmsFault = FaultOccasions & {
  /** Operations that suffer, such as `Decrypt`; default: all. */
  readonly operations?: readonly string[];
} & (
    | {
        /** `ThrottlingException`, HTTP 400. */
        readonly kind: 'throttle';
      }
    | {
        /** An HTTP error of the 500s with KMS's own body. */
        readonly kind: 'server-error';
        readonly status: 500 | 502 | 503 | 504;
      }
    | {
        /** No answer at all; the connection stays open. */
        readonly kind: 'timeout';
      }
    | {
        /** The connection is cut in the middle of the answer. */
        readonly kind: 'drop';
      }
    | {
        /** The head of the answer and half of its body, and no more; the connection stays open. */
        readonly kind: 'stall';
      }
    | {
        /** `ExpiredTokenException`: the credentials have expired. */
        readonly kind: 'expired-credentials';
      }
    | {
        /** A well-formed CiphertextForRecipient, encrypted to the recipient's key, with content of the attacker's choice. */
        readonly kind: 'forged-ciphertext-for-recipient';
      }
    | {
        /** The genuine answer under another key's ARN and with another key's data. */
        readonly kind: 'other-key';
      }
    | {
        /** Plaintext in the clear and no CiphertextForRecipient. */
        readonly kind: 'no-ciphertext-for-recipient';
      }
    | {
        /** An HTTP `Date` that is `offsetMs` away from the truth. */
        readonly kind: 'wrong-date';
        readonly offsetMs: number;
      }
  );

/** What the parent's credential service does instead of its work. An occasion is a request. */
export type ParentFault = FaultOccasions &
  (
    | {
        /** Gives credentials that have expired, and says so. */
        readonly kind: 'expired-credentials';
      }
    | {
        /** Gives none: HTTP 503. */
        readonly kind: 'no-credentials';
      }
  );

/** Faults of everything that an emulator stands for. */
export interface Faults {
  readonly transport?: readonly TransportFault[];
  readonly parent?: readonly ParentFault[];
  readonly nsm?: readonly NsmFault[];
  readonly kms?: readonly KmsFault[];
  /**
   * How far the parent's clock is from the truth, in ms: the dates that it sends, and the ends that it states of credentials.
   * The NSM's clock is never wrong.
   */
  readonly parentClockOffsetMs?: number;
}

/** A fault whose turn it is, and the seed of what is left to chance in it. */
export interface DueFault<Fault> {
  readonly fault: Fault;
  readonly seed: Seed;
}

const CHANCES = 0x1_0000_0000;

interface ScheduledFault<Fault> {
  readonly fault: Fault;
  readonly seed: Seed;
  occasions: number;
  happened: number;
}

/** Decides for one place (such as `nsm` or `kms`) which fault is due; the same seed and occasions give the same ones. */
export class FaultSchedule<Fault extends FaultOccasions> {
  readonly #seed: Seed;
  #faults: readonly ScheduledFault<Fault>[] = [];

  constructor(seed: Seed, faults: readonly Fault[] = []) {
    this.#seed = seed;
    this.set(faults);
  }

  /** Replaces the faults; counting begins anew. */
  set(faults: readonly Fault[]): void {
    this.#faults = faults.map((fault, index) => ({
      fault,
      seed: this.#seed.child(`fault ${index}`),
      occasions: 0,
      happened: 0,
    }));
  }

  /** Counts one occasion for every fault that `concerns` lets through, and gives those that are due, in their order. */
  due(concerns: (fault: Fault) => boolean = () => true): DueFault<Fault>[] {
    return this.#faults.flatMap((scheduled) => {
      if (!concerns(scheduled.fault)) return [];
      const seed = scheduled.seed.child(`occasion ${scheduled.occasions}`);
      const happens = isDue(scheduled, seed);
      scheduled.occasions += 1;
      if (!happens) return [];
      scheduled.happened += 1;
      return [{ fault: scheduled.fault, seed }];
    });
  }
}

function isDue<Fault extends FaultOccasions>(
  { fault: { after = 0, times = Number.POSITIVE_INFINITY, chance = 1 }, occasions, happened }: ScheduledFault<Fault>,
  seed: Seed,
): boolean {
  if (occasions < after || happened >= times) return false;
  return new DataView(seed.derive('chance', 4).buffer).getUint32(0) < chance * CHANCES;
}

/** The faults of one emulator while it runs. Everything in it looks here before it acts, so that a change counts at once. */
export class FaultController {
  readonly transport: FaultSchedule<TransportFault>;
  readonly parent: FaultSchedule<ParentFault>;
  readonly nsm: FaultSchedule<NsmFault>;
  readonly kms: FaultSchedule<KmsFault>;
  #parentClockOffsetMs = 0;

  constructor(seed: Seed, faults: Faults = {}) {
    this.transport = new FaultSchedule<TransportFault>(seed.child('transport faults'));
    this.parent = new FaultSchedule<ParentFault>(seed.child('parent faults'));
    this.nsm = new FaultSchedule<NsmFault>(seed.child('nsm faults'));
    this.kms = new FaultSchedule<KmsFault>(seed.child('kms faults'));
    this.set(faults);
  }

  /** How far the parent's clock is from the truth, in ms. */
  get parentClockOffsetMs(): number {
    return this.#parentClockOffsetMs;
  }

  /** Replaces all faults; those left out end. */
  set({ transport = [], parent = [], nsm = [], kms = [], parentClockOffsetMs = 0 }: Faults): void {
    this.transport.set(transport);
    this.parent.set(parent);
    this.nsm.set(nsm);
    this.kms.set(kms);
    this.#parentClockOffsetMs = parentClockOffsetMs;
  }

  /** Ends all faults. */
  clear(): void {
    this.set({});
  }
}
