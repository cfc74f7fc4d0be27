import { afterAll, beforeAll, describe, it } from 'vitest';
import { FAULT_CASES } from './faults/fault-cases.ts';
import { FaultStage } from './faults/fault-stage.ts';
import { AGREEMENT_KEY_ARN, Emulation, KEY_ARN } from './support/emulation.ts';

let emulation: Emulation;
let stage: FaultStage;
beforeAll(async () => {
  emulation = await Emulation.start();
  const nsm = emulation.nsm();
  const { ca, region, credentials } = emulation.kms;
  stage = await FaultStage.open({
    transport: emulation.enclaveTransport(),
    attest: (request) => nsm.attestation(request),
    ...{ ca, region, credentials, keyArn: KEY_ARN, agreementKeyArn: AGREEMENT_KEY_ARN },
    patience: 30_000,
    deadline: 2000,
    inject: async (faults) => emulation.faults.set(faults),
  });
});
afterAll(async () => {
  stage?.[Symbol.dispose]();
  await emulation[Symbol.asyncDispose]();
});

describe('all five operations end with their secret or the right error, and work again afterwards, when', () => {
  for (const faultCase of FAULT_CASES) it(faultCase.name, () => stage.play(faultCase));
});
