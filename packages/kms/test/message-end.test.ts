import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { MessageEnd } from '../src/data/message-end.ts';

const u16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);
const u32 = (value: number) => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)]);
const field = (bytes: Uint8Array) => Buffer.concat([u16(bytes.length), bytes]);

interface Layout {
  readonly isSigned: boolean;
  readonly context: Uint8Array;
  readonly dataKeys: readonly Uint8Array[];
  /** 0: not framed. */
  readonly frameBytes: number;
  readonly frames: number;
  readonly rest: Uint8Array;
  readonly signature: Uint8Array;
}

/** A message of version 2, as its format reference lays it out, of bytes that mean nothing. */
function layOut({ isSigned, context, dataKeys, frameBytes, frames, rest, signature }: Layout): Buffer {
  const sealed = (content: Uint8Array) => [content, randomBytes(16)];
  const body =
    frameBytes === 0
      ? [randomBytes(12), u32(0), u32(rest.length), ...sealed(rest)]
      : [
          ...Array.from({ length: frames }, (_, index) => [
            u32(index + 1),
            randomBytes(12),
            ...sealed(randomBytes(frameBytes)),
          ]).flat(),
          u32(0xffff_ffff),
          u32(frames + 1),
          randomBytes(12),
          u32(rest.length),
          ...sealed(rest),
        ];
  return Buffer.concat([
    Buffer.of(2),
    u16(isSigned ? 0x0578 : 0x0478),
    randomBytes(32),
    field(context),
    u16(dataKeys.length),
    ...dataKeys.flatMap((key) => [field(Buffer.from('aws-kms')), field(Buffer.from('arn')), field(key)]),
    Buffer.of(frameBytes === 0 ? 1 : 2),
    u32(frameBytes),
    randomBytes(32 + 16),
    ...body,
    ...(isSigned ? [field(signature)] : []),
  ]);
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const layouts = fc.record({
  isSigned: fc.boolean(),
  context: bytes(40),
  dataKeys: fc.array(bytes(40), { maxLength: 3 }),
  frameBytes: fc.integer({ min: 0, max: 40 }),
  frames: fc.integer({ min: 0, max: 4 }),
  rest: bytes(40),
  signature: bytes(103),
});

/** Whether the end is passed at any of the pieces. */
function isPassed(message: Uint8Array, pieceBytes: number): boolean {
  const end = new MessageEnd();
  let passed = false;
  for (let at = 0; at < message.length; at += pieceBytes)
    passed = end.isPassedBy(message.subarray(at, at + pieceBytes)) || passed;
  return passed;
}

describe('the end of a message', () => {
  it('is not passed by the message, or a part of it, however it comes', () => {
    fc.assert(
      fc.property(layouts, fc.integer({ min: 1, max: 300 }), fc.nat(), (layout, pieceBytes, cut) => {
        const message = layOut(layout);
        return !isPassed(message, pieceBytes) && !isPassed(message.subarray(0, cut % message.length), pieceBytes);
      }),
    );
  });

  it('is passed by whatever follows', () => {
    fc.assert(
      fc.property(
        layouts,
        fc.integer({ min: 1, max: 300 }),
        fc.uint8Array({ minLength: 1, maxLength: 80 }),
        (layout, pieceBytes, more) => isPassed(Buffer.concat([layOut(layout), more]), pieceBytes),
      ),
    );
  });

  it('is never found in what is no committed message', () => {
    fc.assert(fc.property(bytes(300), (noise) => noise[0] === 2 || !isPassed(noise, 7)));
  });
});
