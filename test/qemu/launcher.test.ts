// What drives nitro-cli and the emulator drives QEMU too: the supervisor of `parent`, on a real kernel.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildEif } from '@nitro-enclaves/eif';
import { type ExitStatus, ExitStatusListener, superviseEnclave } from '@nitro-enclaves/parent';
import { unixTransport, VMADDR_CID_PARENT } from '@nitro-enclaves/vsock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QemuLauncher } from './launcher.ts';
import { copyProgram } from './rig/guest-root.mjs';
import { CMDLINE } from './rig/image.mjs';
import { prepareRig, rigUnavailable } from './rig/rig.mjs';

const MINUTE = 60_000;
const EXIT_STATUS_PORT = 9001;
const impossible = await rigUnavailable();

describe.skipIf(impossible !== undefined)(
  `an enclave of QEMU under the supervisor${impossible === undefined ? '' : `: ${impossible}`}`,
  () => {
    let folder: string;
    let launcher: QemuLauncher;
    let eifPath: string;

    beforeAll(async () => {
      const rig = await prepareRig();
      folder = await mkdtemp(join(tmpdir(), 'nitro-'));
      const rootfs = join(folder, 'root');
      await mkdir(rootfs);
      for (const program of ['/bin/sh', '/bin/sleep']) await copyProgram(rootfs, program, program);
      eifPath = join(folder, 'exits.eif');
      await buildEif({
        output: eifPath,
        rootfs,
        cmd: ['/bin/sh', '-c', 'sleep 2; echo hello from inside; exit 3'],
        name: 'exits',
        cmdline: CMDLINE,
        kernel: rig.kernel,
        modules: rig.modules,
        exitStatusPort: EXIT_STATUS_PORT,
      });
      launcher = new QemuLauncher({ rig, folder });
    }, 40 * MINUTE);

    afterAll(async () => {
      for (const { EnclaveID } of (await launcher?.describeEnclaves()) ?? [])
        await launcher.terminateEnclave(EnclaveID);
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    it('is started, tells how its program ended, and is started once more', { timeout: 20 * MINUTE }, async () => {
      await using exits = new ExitStatusListener(unixTransport({ folder, cid: VMADDR_CID_PARENT }));
      await exits.listen(EXIT_STATUS_PORT);
      const started: string[] = [];
      const statuses: (ExitStatus | undefined)[] = [];
      let console = '';
      await using supervisor = superviseEnclave({
        launcher,
        enclave: { eifPath, memoryMiB: 512, cpuCount: 2, debugMode: true },
        exitStatus: (cid) => exits.take(cid),
        maxRestarts: 1,
        initialDelay: 10,
        pollInterval: 100,
      });
      supervisor.on('started', ({ EnclaveID }) => {
        started.push(EnclaveID);
        launcher.console(EnclaveID).on('data', (bytes: Buffer) => {
          console += bytes;
        });
      });
      supervisor.on('exited', (_, status) => statuses.push(status));
      await supervisor.done;
      expect(statuses, console).toEqual([{ exitCode: 3 }, { exitCode: 3 }]);
      expect(new Set(started).size).toBe(2);
      expect(console.split('hello from inside')).toHaveLength(3);
      expect(await launcher.describeEnclaves()).toEqual([]);
    });
  },
);
