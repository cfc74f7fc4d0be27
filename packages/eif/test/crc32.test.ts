import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { combineCrc32, createCrc32 } from '../src/format/crc32.ts';
import { nodePlatform } from '../src/node/platform.ts';
import { RunningCrc } from '../src/read/running-crc.ts';

const ours = createCrc32();
const pieces = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 });

describe('createCrc32', () => {
  it('gives the check value of CRC-32/ISO-HDLC', () => {
    expect(ours(Buffer.from('123456789'), 0)).toBe(0xcbf43926);
  });

  it('agrees with zlib for any bytes, at any alignment, continued from any value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(7), fc.nat(0xffff_ffff), (bytes, skip, previous) => {
        const view = bytes.subarray(Math.min(skip, bytes.length));
        const expected = view.length === 0 ? previous : crc32(view, previous);
        expect(ours(view, previous)).toBe(expected);
        expect(nodePlatform.crc32(view, previous)).toBe(expected);
      }),
    );
  });
});

describe('combineCrc32', () => {
  it('gives the CRC of both pieces from the CRC of each', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (first, second) => {
        const whole = crc32(Buffer.concat([first, second]));
        expect(combineCrc32(crc32(first), crc32(second), second.length)).toBe(whole);
      }),
    );
  });
});

describe('RunningCrc', () => {
  it('is that of the whole, whichever pieces come later and in which order', () => {
    fc.assert(
      fc.property(
        pieces,
        fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }),
        fc.boolean(),
        (all, late, reverse) => {
          const running = new RunningCrc(ours);
          const open: (() => void)[] = [];
          for (const [index, piece] of all.entries()) {
            if (late[index]) {
              const give = running.later(piece.length);
              open.push(() => give(crc32(piece)));
            } else running.update(piece);
          }
          for (const give of reverse ? open.reverse() : open) give();
          expect(running.value).toBe(crc32(Buffer.concat(all)));
        },
      ),
    );
  });
});
