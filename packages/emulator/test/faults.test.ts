import type { NsmFault } from '@nitro-enclaves/emulator';
import { FaultController, FaultSchedule, Seed } from '@nitro-enclaves/emulator';
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
