import { readFileSync } from 'node:fs';
import type { NsmFault } from '@nitro-enclaves/emulator';
import { FaultController, FaultSchedule, readFaults, Seed } from '@nitro-enclaves/emulator';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const SLOW: NsmFault = { kind: 'slow', ms: 5 };

/** Which of `count` occasions had the fault. */
function occasionsOf(faults: readonly NsmFault[], { seed = 'faults', count = 20 } = {}): boolean[] {
  const schedule = new FaultSchedule(Seed.from(seed), faults);
  return Array.from({ length: count }, () => schedule.due().length > 0);
}

describe('the schedule of faults', () => {
  it('has none unless asked', () => {
    expect(occasionsOf([])).not.toContain(true);
  });

  it('happens on every occasion when nothing else is said', () => {
    expect(occasionsOf([SLOW])).not.toContain(false);
  });

  it('lets `after` occasions pass and then happens `times` times', () => {
    expect(occasionsOf([{ ...SLOW, after: 2, times: 3 }], { count: 7 })).toEqual([
      ...[false, false, true, true, true, false, false],
    ]);
  });

  it('never happens by a chance of 0, and always by a chance of 1', () => {
    fc.assert(
      fc.property(fc.string(), (seed) => {
        expect(occasionsOf([{ ...SLOW, chance: 0 }], { seed })).not.toContain(true);
        expect(occasionsOf([{ ...SLOW, chance: 1 }], { seed })).not.toContain(false);
      }),
      { numRuns: 20 },
    );
  });

  it('happens on the same occasions for the same seed, and on others for another', () => {
    const faults = [{ ...SLOW, chance: 0.5 }];
    const pattern = occasionsOf(faults, { count: 64 });
    expect(occasionsOf(faults, { count: 64 })).toEqual(pattern);
    expect(occasionsOf(faults, { seed: 'others', count: 64 })).not.toEqual(pattern);
    expect(pattern.filter(Boolean).length).toBeGreaterThan(16);
    expect(pattern.filter(Boolean).length).toBeLessThan(48);
  });

  it('counts only the occasions that concern a fault', () => {
    const schedule = new FaultSchedule<NsmFault>(Seed.from('concerns'), [{ ...SLOW, after: 1 }]);
    expect(schedule.due(() => false)).toEqual([]);
    expect(schedule.due(() => true)).toEqual([]);
    expect(schedule.due(() => true)).toHaveLength(1);
  });
});

describe('the faults of a running emulator', () => {
  it('end when they are cleared', () => {
    const faults = new FaultController(Seed.from('clear'), { nsm: [SLOW], parentClockOffsetMs: 1000 });
    expect(faults.nsm.due()).toHaveLength(1);
    expect(faults.parentClockOffsetMs).toBe(1000);
    faults.clear();
    expect(faults.nsm.due()).toHaveLength(0);
    expect(faults.parentClockOffsetMs).toBe(0);
  });
});

describe('faults out of a file', () => {
  it('are those of the file', () => {
    const faults = {
      transport: [{ kind: 'drop', bytes: 10, port: 8000, direction: 'to-parent', chance: 0.5 }, { kind: 'corrupt' }],
      parent: [{ kind: 'no-credentials', times: 1 }],
      nsm: [{ kind: 'error', error: 'InternalError' }],
      kms: [{ kind: 'server-error', status: 503, operations: ['Decrypt'] }],
      parentClockOffsetMs: -1000,
    };
    expect(readFaults(JSON.parse(JSON.stringify(faults)))).toEqual(faults);
    expect(readFaults({})).toEqual({});
  });

  it.each([
    ['$', []],
    ['$', null],
    ['$.vsock', { vsock: [] }],
    ['$.nsm', { nsm: {} }],
    ['$.nsm[0]', { nsm: ['slow'] }],
    ['$.nsm[0].kind', { nsm: [{ kind: 'sloww', ms: 1 }] }],
    ['$.nsm[0].kind', { nsm: [{ kind: 'toString' }] }],
    ['$.nsm[0].ms', { nsm: [{ kind: 'slow' }] }],
    ['$.nsm[1].ms', { nsm: [{ kind: 'foreign-root' }, { kind: 'slow', ms: '5' }] }],
    ['$.nsm[0].often', { nsm: [{ kind: 'foreign-root', often: 1 }] }],
    ['$.kms[0].operations', { kms: [{ kind: 'throttle', operations: 'Decrypt' }] }],
    ['$.kms[0].operations', { kms: [{ kind: 'throttle', operations: ['Decyrpt'] }] }],
    ['$.kms[0].status', { kms: [{ kind: 'server-error', status: 418 }] }],
    ['$.kms[0].chance', { kms: [{ kind: 'drop', chance: 5 }] }],
    ['$.kms[0].times', { kms: [{ kind: 'drop', times: 1.5 }] }],
    ['$.nsm[0].error', { nsm: [{ kind: 'error', error: 'Broken' }] }],
    ['$.nsm[0].ageMs', { nsm: [{ kind: 'stale-document', ageMs: -1 }] }],
    ['$.transport[0].direction', { transport: [{ kind: 'drop', bytes: 1, direction: 'sideways' }] }],
    ['$.transport[0].port', { transport: [{ kind: 'drop', bytes: 1, port: 0 }] }],
    ['$.transport[0].bytes', { transport: [{ kind: 'drop', bytes: -1 }] }],
    ['$.parentClockOffsetMs', { parentClockOffsetMs: 'late' }],
  ])('are refused at %s when it is wrong', (path, faults) => {
    expect(() => readFaults(faults)).toThrow(expect.objectContaining({ code: 'EMULATOR_ARGUMENT', path }));
  });

  it('have a form for every kind there is', () => {
    const kinds = (file: string, pattern: RegExp) =>
      new Set([...readFileSync(new URL(file, import.meta.url), 'utf8').matchAll(pattern)].map(([, kind]) => kind));
    const forms = readFileSync(new URL('../src/read-faults.ts', import.meta.url), 'utf8');
    for (const kind of kinds('../src/faults.ts', /readonly kind: '([a-z-]+)'/g)) {
      expect(forms).toMatch(new RegExp(`(?:'${kind}'|\\b${kind}): `));
    }
  });
});
