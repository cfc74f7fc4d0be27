import assert from 'node:assert/strict';
import { openNsm } from '@nitro-enclaves/nsm';
import type { FaultCase } from '../../../packages/kms/test/faults/fault-case.ts';
import { FAULT_CASES } from '../../../packages/kms/test/faults/fault-cases.ts';
import { FaultStage } from '../../../packages/kms/test/faults/fault-stage.ts';
import { OPERATIONS } from '../../../packages/kms/test/faults/operations.ts';
import type { GuestContext, GuestTest } from './guest-test.ts';

const PATIENCE = 60_000;
/** Emulated processors take a second for a handshake and a call. */
const DEADLINE = 5000;

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

/**
 * On one and the same stage, since its RSA key takes seconds here; the last case closes it. Each case has one of the operations,
 * in turn: elsewhere, on sockets of this machine, each has all five.
 */
async function play(faultCase: FaultCase, index: number, context: GuestContext): Promise<undefined> {
  opened ??= openStage(context);
  const { stage, close } = await opened;
  try {
    await stage.play(
      faultCase,
      [OPERATIONS[index % OPERATIONS.length]].filter((one) => one !== undefined),
    );
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
