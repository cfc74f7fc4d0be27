import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kmsRequestHandler } from '../src/index.ts';
import { Emulation, KEY_ARN } from './support/emulation.ts';
import { collectGarbage } from './support/garbage.ts';

const ASKED = process.env['KMS_SOAK_CALLS'];
/** `KMS_SOAK_CALLS=100000` is an hour's worth of calls of a busy enclave, and tells what it measured. */
const CALLS = Number(ASKED ?? 3000);
const IN_FLIGHT = 16;
const TIMEOUT_MS = 60_000 + CALLS * 40;

let emulation: Emulation;
beforeAll(async () => {
  emulation = await Emulation.start();
});
afterAll(() => emulation[Symbol.asyncDispose]());

/** Memory that is held, in bytes. */
function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const descriptors = (): number => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);

describe('a soak', () => {
  it(
    `of ${CALLS} Decrypts leaves memory and descriptors as they were`,
    async () => {
      const requestHandler = kmsRequestHandler({
        transport: emulation.enclaveTransport(),
        ca: emulation.kms.ca,
        maxSockets: IN_FLIGHT,
        connectTimeout: 60_000,
        requestTimeout: 120_000,
      });
      // Emulated, signing takes longer than all the rest of a call.
      const client = emulation.client({ config: { requestHandler }, reuseDocumentFor: 60_000 });
      const secret = Buffer.from('a secret of no importance');
      const CiphertextBlob = await emulation.ciphertextOf(secret);
      let left = CALLS;
      const work = async () => {
        while (left > 0) {
          left -= 1;
          const { Plaintext } = await client.decrypt({ KeyId: KEY_ARN, CiphertextBlob });
          if (Plaintext === undefined || !secret.equals(Plaintext)) throw new Error('another plaintext');
          emulation.audit.length = 0;
        }
      };
      const run = (calls: number) => {
        left = calls;
        return Promise.all(Array.from({ length: IN_FLIGHT }, work));
      };
      await run(Math.ceil(CALLS / 4));
      const [memory, open] = [heldBytes(), descriptors()];
      await run(CALLS);
      const grown = { descriptors: descriptors() - open, bytes: heldBytes() - memory };
      if (ASKED !== undefined) console.info({ calls: CALLS, before: { descriptors: open, bytes: memory }, grown });
      expect(grown.descriptors).toBeLessThanOrEqual(IN_FLIGHT);
      expect(grown.bytes).toBeLessThan(16 * 1_048_576);
      client.destroy();
    },
    TIMEOUT_MS,
  );
});
