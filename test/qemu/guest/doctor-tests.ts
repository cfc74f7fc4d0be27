import assert from 'node:assert/strict';
import { diagnose } from '../../../packages/cli/src/doctor/diagnosis.ts';
import { readMachineFacts } from '../../../packages/cli/src/doctor/machine-facts.ts';
import type { GuestTest } from './guest-test.ts';

/** The doctor's view of this machine, as the command gathers it. */
function examine() {
  return readMachineFacts({
    stdin: (async function* () {})(),
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: '/',
    signal: new AbortController().signal,
    exitWith: () => {},
  });
}

export const doctorTests: readonly GuestTest[] = [
  {
    name: 'doctor: this is an enclave, with nothing missing',
    async run() {
      const { place, summary, findings } = diagnose(await examine());
      assert.deepEqual(
        findings.filter(({ state }) => state === 'missing'),
        [],
      );
      assert.ok(place === 'nitro-enclave' || place === 'qemu-enclave', summary);
      return summary;
    },
  },
];
