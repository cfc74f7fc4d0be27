import assert from 'node:assert/strict';
import { openNsm } from '@nitro-enclaves/nsm';
import type { FaultCase } from '../../../packages/kms/test/faults/fault-case.ts';
import { FAULT_CASES } from '../../../packages/kms/test/faults/fault-cases.ts';
import { FaultStage } from '../../../packages/kms/test/faults/fault-stage.ts';
import type { Operation } from '../../../packages/kms/test/faults/operations.ts';
import { OPERATIONS } from '../../../packages/kms/test/faults/operations.ts';
import type { GuestContext, GuestTest } from './guest-test.ts';

const PATIENCE = 60_000;
/** Emulated processors take a second for a handshake and a call. */
const DEADLINE = 4000;

/** A stage of this enclave: the kernel's NSM and AF_VSOCK, and the faults of the parent program. */
async function openStage({ transport, parent }: GuestContext): Promise<{ stage: FaultStage; close(): Promise<void> }> {
  const { settings } = parent();
  assert.ok(settings.kms !== undefined, 'expected settings of the emulated KMS');
  const nsm = await openNsm();
  const stage = await FaultStage.open({
    transport,
    attest: (request) => nsm.attestation(request),
    ...settings.kms,
    patience: PATIENCE,
    deadline: DEADLINE,
    inject: (faults) => parent().inject(faults),
  });
  const close = () => {
    stage[Symbol.dispose]();
    return nsm.close();
  };
  return { stage, close };
}

let opened: ReturnType<typeof openStage> | undefined;

/** All five, or, where the operation makes no difference and each takes a connection of its own, one of them in turn. */
function operationsFor({ faults, waits }: FaultCase, index: number): readonly Operation[] {
  if (faults.kms !== undefined && waits === undefined) return OPERATIONS;
  return OPERATIONS.filter((_, turn) => turn === index % OPERATIONS.length);
}

/** On one and the same stage, since its RSA key takes seconds here; the last case closes it. */
async function play(faultCase: FaultCase, index: number, context: GuestContext): Promise<undefined> {
  opened ??= openStage(context);
  const { stage, close } = await opened;
  try {
    await stage.play(faultCase, operationsFor(faultCase, index));
  } finally {
    if (index === FAULT_CASES.length - 1) await close();
  }
  return undefined;
}

export const kmsFaultTests: readonly GuestTest[] = FAULT_CASES.map((faultCase, index) => ({
  name: `kms: the right error or the secret, and recovery, when ${faultCase.name}`,
  needs: 'emulated-kms',
  timeout: 120_000,
  run: (context) => play(faultCase, index, context),
}));
