import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FaultCase } from './faults/fault-case.ts';
import { FAULT_CASES, NSM_FAULT_CASES } from './faults/fault-cases.ts';
import { FaultStage } from './faults/fault-stage.ts';
import { AGREEMENT_KEY_ARN, Emulation, KEY_ARN } from './support/emulation.ts';

const CASES = [...FAULT_CASES, ...NSM_FAULT_CASES];

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
  for (const faultCase of CASES) it(faultCase.name, () => stage.play(faultCase));
});

describe('the list of faults', () => {
  it('has every kind that the emulator has', () => {
    const source = readFileSync(new URL('../../emulator/src/faults.ts', import.meta.url), 'utf8');
    const kinds = [...source.matchAll(/readonly kind: '([a-z-]+)'/g)].map(([, kind]) => kind);
    const places = CASES.map(({ faults: { transport = [], parent = [], kms = [], nsm = [] } }) => [
      ...[...transport, ...parent, ...kms, ...nsm].map(({ kind }) => kind),
    ]);
    expect([...new Set(places.flat())].sort()).toEqual([...new Set(kinds)].sort());
  });

  it.each([
    ['an error where a secret is expected', { faults: { kms: [{ kind: 'throttle' }] }, outcome: 'genuine' }],
    ['a secret where an error is expected', { faults: {}, outcome: { says: /./ } }],
    ['another error', { faults: { kms: [{ kind: 'throttle' }] }, outcome: { name: 'TimeoutError', says: /./ } }],
    ['another sentence', { faults: { kms: [{ kind: 'throttle' }] }, outcome: { says: /the proxy/ } }],
    [
      'a secret that is not the one sealed',
      { faults: { kms: [{ kind: 'forged-ciphertext-for-recipient' }] }, outcome: 'genuine' },
    ],
  ] satisfies [string, Omit<FaultCase, 'name'>][])('is not satisfied by %s', async (name, faultCase) => {
    await expect(stage.play({ name, ...faultCase })).rejects.toThrow();
  });
});
