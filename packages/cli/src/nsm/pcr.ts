import { encodeHex } from '@nitro-enclaves/core';
import type { Nsm } from '@nitro-enclaves/nsm';
import type { CommandContext } from '../command-context.ts';
import { writeJson, writeLines } from '../output.ts';
import { withNsm } from './with-nsm.ts';

/** Options of `nsm pcr`. */
export interface PcrFlags {
  /** What to measure into the PCRs first. */
  readonly extend?: Uint8Array;
  readonly lock?: true;
  readonly json?: true;
}

interface Pcr {
  readonly index: number;
  readonly locked: boolean;
  readonly value: string;
}

async function change(nsm: Nsm, index: number, { extend, lock }: PcrFlags, signal: AbortSignal): Promise<void> {
  if (extend !== undefined) await nsm.extendPcr(index, extend, { signal });
  if (lock) await nsm.lockPcr(index, { signal });
}

async function readPcr(nsm: Nsm, index: number, signal: AbortSignal): Promise<Pcr> {
  const { locked, value } = await nsm.describePcr(index, { signal });
  return { index, locked, value: encodeHex(value) };
}

/** `nsm pcr`: shows PCRs, all unless some are named; extends and locks the named ones first if asked to. */
export async function pcrCommand(indices: readonly number[], flags: PcrFlags, context: CommandContext): Promise<void> {
  const { signal } = context;
  const pcrs = await withNsm(context, async (nsm) => {
    for (const index of indices) await change(nsm, index, flags, signal);
    const { maxPcrs } = await nsm.describeNsm({ signal });
    const shown = indices.length > 0 ? indices : Array.from({ length: maxPcrs }, (_, index) => index);
    // One after the other: the driver serves no two at a time anyway.
    const read: Pcr[] = [];
    for (const index of shown) read.push(await readPcr(nsm, index, signal));
    return read;
  });
  if (flags.json) return writeJson(context, pcrs);
  const lines = pcrs.map(
    ({ index, locked, value }) => `PCR${index}`.padEnd(6) + (locked ? 'locked  ' : 'open    ') + value,
  );
  writeLines(context, lines);
}
