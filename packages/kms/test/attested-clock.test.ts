import { describe, expect, it } from 'vitest';
import { AttestedClock } from '../src/recipient/attested-clock.ts';

function clock() {
  const client = { config: { systemClockOffset: 0 } };
  const warnings: string[] = [];
  return { client, warnings, attested: new AttestedClock(client, (message) => warnings.push(message)) };
}

describe("the clock of requests follows the NSM's", () => {
  it('leaves a clock alone that agrees within two seconds', () => {
    const { client, attested, warnings } = clock();
    attested.observe(Date.now() + 1500, Date.now());
    attested.observe(Date.now() - 1500, Date.now());
    expect(client.config.systemClockOffset).toBe(0);
    expect(warnings).toEqual([]);
  });

  it.each([10_000, -10_000])('corrects a clock that is %d ms off, without a warning', (skew) => {
    const { client, attested, warnings } = clock();
    attested.observe(Date.now() + skew, Date.now());
    expect(Math.abs(client.config.systemClockOffset - skew)).toBeLessThan(1000);
    expect(warnings).toEqual([]);
  });

  it.each([
    [600_000, 'behind'],
    [-600_000, 'ahead of'],
  ])('warns once of a clock that is %d ms off', (skew, word) => {
    const { attested, warnings } = clock();
    attested.observe(Date.now() + skew, Date.now());
    attested.observe(Date.now() + skew, Date.now());
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(word);
  });

  it('takes the correction back when the clock was set', () => {
    const { client, attested } = clock();
    attested.observe(Date.now() + 600_000, Date.now());
    attested.observe(Date.now(), Date.now());
    expect(client.config.systemClockOffset).toBe(0);
  });

  it('is read from every document while the local one strays, and seldom otherwise', () => {
    const { attested } = clock();
    const due = [attested.isDue];
    for (const skew of [600_000, 0]) {
      attested.observe(Date.now() + skew, Date.now());
      due.push(attested.isDue);
    }
    expect(due).toEqual([true, true, false]);
  });

  it('keeps to it whatever the SDK makes of the dates of answers', () => {
    const { client, attested } = clock();
    attested.hold();
    expect(client.config.systemClockOffset).toBe(0);
    for (const skew of [0, 600_000]) {
      attested.observe(Date.now() + skew, Date.now());
      const { systemClockOffset } = client.config;
      client.config.systemClockOffset = 3_600_000;
      attested.hold();
      expect(client.config.systemClockOffset).toBe(systemClockOffset);
    }
  });

  it('does not take a slow NSM for a wrong clock', () => {
    const { client, attested } = clock();
    attested.observe(Date.now() - 4000, Date.now() - 8000);
    expect(client.config.systemClockOffset).toBe(0);
  });
});
