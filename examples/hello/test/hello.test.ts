import { text } from 'node:stream/consumers';
import { startEmulator } from '@nitro-enclaves/emulator';
import { describe, expect, it } from 'vitest';
import {
  commandOf,
  commandsIn,
  runCommands,
  scratchFolder,
  untilListening,
} from '../../../test/examples/running-example.ts';
import { GREETING_PORT } from '../src/greeting.ts';

describe('hello', () => {
  it('says which enclave it is and what was measured, on the console and to who asks', async () => {
    using folder = scratchFolder();
    const command = await commandOf('hello', folder.path);
    await using emulator = await startEmulator({ kms: false });
    const ask = async (cid: number) => text(await emulator.transport.connect({ cid, port: GREETING_PORT }));

    const enclave = await emulator.runEnclave({ command });
    await untilListening(emulator, enclave, GREETING_PORT);
    const { PCR0 } = enclave.describe().Measurements;
    expect(await ask(enclave.cid)).toBe(`hello from ${enclave.enclaveId}, CID ${enclave.cid}\nPCR0 ${PCR0}\n`);
    expect(() => emulator.console(enclave.enclaveId)).toThrow(expect.objectContaining({ code: 'EMULATOR_CONSOLE' }));

    const inDebugMode = await emulator.runEnclave({ command, debugMode: true });
    await untilListening(emulator, inDebugMode, GREETING_PORT);
    const greeting = await ask(inDebugMode.cid);
    expect(greeting).toContain(`PCR0 ${'0'.repeat(96)}\n`);
    const console = text(emulator.console(inDebugMode.enclaveId));
    await inDebugMode.terminate();
    expect(await console).toContain(greeting);
  });

  it('looks for the hardware where no emulator started it, with the addon that its root folder holds', {
    timeout: 120_000,
  }, () => {
    const { status, stderr } = runCommands(
      'root=$(mktemp -d); node examples/make-root.mjs hello $root; node $root/app/main.mjs',
    );
    expect(status).not.toBe(0);
    expect(stderr).toContain('NSM_UNAVAILABLE');
    expect(stderr).not.toContain('NATIVE_');
  });

  it('has a root folder only where it was built', () => {
    expect(runCommands('node examples/make-root.mjs goodbye root')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('usage:'),
    });
  });

  it('is launched as its README says', { timeout: 180_000 }, async (context) => {
    await using emulator = await startEmulator({ kms: false });
    if (!emulator.isolation.namespaces)
      context.skip('needs user namespaces (sysctl kernel.unprivileged_userns_clone=1)');
    const { status, stdout, stderr } = runCommands(commandsIn('hello', 'walk-through'));
    expect(status, stdout + stderr).toBe(0);
    expect(stdout).toContain('"PCR0"');
    expect(stdout).toContain('"Flags": "DEBUG_MODE"');
    expect(stdout).toMatch(/^hello from i-[0-9a-f]+-enc[0-9a-f]+, CID \d+$/m);
    expect(stdout).toContain('"Terminated": true');
  });
});
