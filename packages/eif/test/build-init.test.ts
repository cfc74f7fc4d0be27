import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  prebuilt,
  rebuild,
  SHIPPED_INIT,
  TestEnclave,
  whyNoAarch64,
  whyNoEnclave,
  whyNoRebuild,
} from './init/enclave.ts';

describe('the committed init', () => {
  for (const architecture of ['x86_64', 'aarch64']) {
    const reason = whyNoRebuild(architecture);
    it.skipIf(reason !== undefined)(
      `is what its sources give, for ${architecture}${reason ? ` [${reason}]` : ''}`,
      () => {
        const folder = mkdtempSync(join(tmpdir(), 'init-build-'));
        try {
          const again = readFileSync(rebuild(architecture, folder));
          expect(again.equals(readFileSync(prebuilt(architecture)))).toBe(true);
        } finally {
          rmSync(folder, { recursive: true });
        }
      },
    );
  }
});

const reason = whyNoEnclave();

describe.skipIf(reason !== undefined)(`the init, as process 1${reason ? ` [${reason}]` : ''}`, () => {
  let enclave: TestEnclave;
  beforeAll(() => {
    enclave = new TestEnclave();
  });
  afterAll(() => enclave.remove());

  describe('as it is shipped', () => {
    beforeEach(() => enclave.prepare(SHIPPED_INIT));

    const PROBE = ['heartbeat=0', 'exec=/probe', 'arg=probe'];

    it('starts the program as it was told to', async () => {
      const { stdout, signal } = await enclave.run([
        ...PROBE,
        ...['arg=describe', 'arg=two words', 'arg=line\nbreak', 'arg='],
        ...['env=A=1', 'env=B=x\ny', 'env=C='],
        ...['workdir=/srv', 'uid=1000', 'gid=1001', 'group=44', 'group=45'],
        ...['tmpfs-1777=/tmp', 'tmpfs-0755=/run'],
      ]);
      expect(signal).toBe('SIGHUP');
      const before = stdout.slice(0, stdout.indexOf('files='));
      expect(before).toBe(
        'arg=probe\narg=describe\narg=two words\narg=line\nbreak\narg=\n' +
          'env=A=1\nenv=B=x\ny\nenv=C=\ncwd=/srv\nuid=1000\ngid=1001\ngroup=44\ngroup=45\n',
      );
      expect(stdout).toContain('session=1\n');
      expect(stdout).not.toContain('blocked=');
    });

    it('gives the program what it expects of a machine', async () => {
      const { stdout } = await enclave.run([...PROBE, 'arg=describe', 'tmpfs-1777=/tmp', 'tmpfs-0755=/run']);
      expect(stdout).toContain('mode /tmp=1777\nmode /run=755\nmode /dev/shm=1777\n');
      const flags = /lo=(0x[0-9a-f]+)/.exec(stdout)?.[1];
      expect(Number(flags) & 1).toBe(1); // IFF_UP
      for (const mount of [
        'proc /proc',
        'sysfs /sys',
        'devtmpfs /dev',
        'devpts /dev/pts',
        'tmpfs /dev/shm',
        'tmpfs /tmp',
      ]) {
        expect(stdout).toMatch(new RegExp(`^${mount.split(' ')[0]} ${mount.split(' ')[1]} `, 'm'));
      }
    });

    it('lets programs be run from /tmp', async () => {
      const { stdout } = await enclave.run([...PROBE, 'arg=describe', 'tmpfs-1777=/tmp']);
      const options = /^tmpfs \/tmp tmpfs (\S+)/m.exec(stdout)?.[1]?.split(',');
      expect(options).toEqual(expect.arrayContaining(['nosuid', 'nodev']));
      expect(options).not.toContain('noexec');
    });

    it('hides its own files from the program', async () => {
      const { stdout } = await enclave.run([...PROBE, 'arg=describe']);
      expect(stdout).not.toContain('app.conf');
      expect(stdout).not.toContain('boot.conf');
    });

    it('tells the exit code on the console', async () => {
      for (const code of [0, 1, 42, 255]) {
        enclave.prepare(SHIPPED_INIT);
        const { console, signal } = await enclave.run([...PROBE, 'arg=exit', `arg=${code}`]);
        expect(console).toContain(`application ended with exit code ${code}\n`);
        expect(signal).toBe('SIGHUP');
      }
    });

    it('tells the signal that ended the program', async () => {
      const { console } = await enclave.run([...PROBE, 'arg=die', 'arg=11']);
      expect(console).toContain('application ended by signal 11\n');
    });

    it('passes signals on to the program', async () => {
      const { stdout } = await enclave.run([...PROBE, 'arg=signals']);
      expect(stdout.trim().split('\n')).toEqual([15, 2, 1, 10, 12, 3].map((signal) => `signal=${signal}`));
    });

    it('reaps what the program leaves orphaned', async () => {
      const { stdout } = await enclave.run([...PROBE, 'arg=orphans']);
      expect(stdout).toBe('zombies=0\n');
    });

    it('lets processes that are left end in order', async () => {
      const { stdout } = await enclave.run([...PROBE, 'arg=leave']);
      expect(stdout).toBe('left over got=15\n');
    });

    it('ends as a shell would when the program cannot be started', async () => {
      const { console, signal } = await enclave.run(['heartbeat=0', 'exec=/missing', 'arg=x']);
      expect(console).toContain('/missing: error 2\n');
      expect(console).toContain('application ended with exit code 127\n');
      expect(signal).toBe('SIGHUP');
      enclave.prepare(SHIPPED_INIT);
      const folder = await enclave.run(['heartbeat=0', 'exec=/srv', 'arg=x']);
      expect(folder.console).toContain('application ended with exit code 126\n');
    });

    it('ends when the working directory is not there', async () => {
      const { console } = await enclave.run([...PROBE, 'workdir=/missing']);
      expect(console).toContain('working directory: error 2\n');
      expect(console).toContain('application ended with exit code 126\n');
    });

    it('ends when a module cannot be loaded', async () => {
      const { console, stdout, signal } = await enclave.run([...PROBE, 'arg=describe'], ['module=/modules/none.ko']);
      expect(console).toContain('/modules/none.ko: error 2\n');
      expect(stdout).toBe('');
      expect(signal).toBe('SIGHUP');
    });

    it('ends on settings that are not numbers, before the program runs', async () => {
      for (const record of ['uid=-1', 'uid=1x', 'gid=99999999999']) {
        enclave.prepare(SHIPPED_INIT);
        const { stdout } = await enclave.run([...PROBE, 'arg=describe', record]);
        expect(stdout, record).toBe('');
      }
    });
  });

  const noAarch64 = whyNoAarch64();
  it.skipIf(noAarch64 !== undefined)(
    `for aarch64 does the same, as far as an emulator shows${noAarch64 ? ` [${noAarch64}]` : ''}`,
    async () => {
      const probe = ['heartbeat=0', 'exec=/probe', 'arg=probe'];
      const expected = [
        [
          ['arg=describe', 'arg=line\nbreak', 'env=A=x\ny', 'workdir=/srv', 'uid=1000', 'group=44'],
          /arg=line\nbreak\nenv=A=x\ny\ncwd=\/srv\nuid=1000\ngid=0\ngroup=44\n/,
        ],
        [['arg=exit', 'arg=42'], /application ended with exit code 42\n/],
        [['arg=die', 'arg=11'], /application ended by signal 11\n/],
        [['arg=signals'], /signal=15\nsignal=2\nsignal=1\nsignal=10\nsignal=12\nsignal=3\n/],
        [['arg=orphans'], /zombies=0\n/],
        [['arg=leave'], /left over got=15\n/],
      ] as const;
      for (const [records, output] of expected) {
        enclave.prepareAarch64();
        const ended = await enclave.run([...probe, ...records]);
        expect(ended.stdout + ended.console).toMatch(output);
      }
    },
  );

  describe('with a parent', () => {
    let servers: Server[] = [];
    beforeEach(() => enclave.prepare(enclave.testInit));
    afterEach(async () => {
      for (const server of servers) {
        server.close();
        if (server.listening) await once(server, 'close');
      }
      servers = [];
    });

    /** Listens where the init looks for a port of the parent. */
    async function listen(path: string, handler: (socket: Socket) => void): Promise<void> {
      const server = createServer({ allowHalfOpen: true }, handler).listen(join(enclave.root, path));
      servers.push(server);
      await once(server, 'listening');
    }

    /** What the init writes to a port before it shuts its side down. */
    function collect(into: string[]): (socket: Socket) => void {
      return (socket) => {
        let text = '';
        socket.on('data', (piece) => {
          text += piece.toString();
        });
        socket.on('end', () => {
          into.push(text);
          socket.end();
        });
      };
    }

    const PROBE = ['exec=/probe', 'arg=probe'];

    it('sends the heartbeat, and starts the program once it has it back', async () => {
      const sent: string[] = [];
      await listen('parent/9000', (socket) => {
        socket.on('data', (piece) => {
          sent.push(piece.toString('hex'));
          socket.end(piece);
        });
      });
      const { stdout } = await enclave.run([...PROBE, 'arg=orphans']);
      expect(sent).toEqual(['b7']);
      expect(stdout).toBe('zombies=0\n');
    });

    it('ends when the parent does not listen, closes, or sends another byte', async () => {
      const nobody = await enclave.run([...PROBE, 'arg=describe']);
      expect(nobody.console).toContain("heartbeat: connect to the parent's port 9000: error 2\n");
      for (const answer of [Buffer.alloc(0), Buffer.of(0xb6)]) {
        enclave.prepare(enclave.testInit);
        await listen('parent/9000', (socket) => socket.resume().end(answer));
        const ended = await enclave.run([...PROBE, 'arg=describe']);
        expect(ended.console).toContain('heartbeat: ');
        expect(ended.stdout).toBe('');
        expect(ended.signal).toBe('SIGHUP');
      }
    });

    it('reports exit codes and signals to the port that it was given', async () => {
      for (const [argument, report] of [
        [['arg=exit', 'arg=0'], '{"exitCode":0}\n'],
        [['arg=exit', 'arg=42'], '{"exitCode":42}\n'],
        [['arg=die', 'arg=9'], '{"signal":9}\n'],
        [['arg=die', 'arg=11'], '{"signal":11}\n'],
      ] as const) {
        enclave.prepare(enclave.testInit);
        const reports: string[] = [];
        await listen('rootfs/parent/9001', collect(reports));
        await enclave.run([...PROBE, ...argument, 'heartbeat=0', 'exit-status-port=9001']);
        expect(reports).toEqual([report]);
        expect(() => JSON.parse(report)).not.toThrow();
      }
    });

    it('reports nothing when it was given no port', async () => {
      const reports: string[] = [];
      await listen('rootfs/parent/9001', collect(reports));
      await enclave.run([...PROBE, 'heartbeat=0']);
      expect(reports).toEqual([]);
    });

    it('reports why the program was never started, in JSON whatever a file is called', async () => {
      const reports: string[] = [];
      await listen('parent/9001', collect(reports));
      await enclave.run([...PROBE, 'heartbeat=0', 'exit-status-port=9001'], ['module=/a"\\\n.ko']);
      expect(reports.map((report) => JSON.parse(report) as unknown)).toEqual([{ error: '/a???.ko: error 2' }]);
    });

    it('ends all the same when nobody takes the report', async () => {
      const { console, signal } = await enclave.run([...PROBE, 'heartbeat=0', 'exit-status-port=9001']);
      expect(console).toContain('exit status: connect to the parent: error 2\n');
      expect(signal).toBe('SIGHUP');
    });

    const RANDOM = Buffer.from(`a16947657452616e646f6da16672616e646f6d590100${'5a'.repeat(256)}`, 'hex');

    it('seeds the random pool from the NSM', async () => {
      writeFileSync(join(enclave.root, 'nsm-response'), RANDOM);
      const { console, stdout } = await enclave.run([...PROBE, 'arg=orphans', 'heartbeat=0']);
      expect(console).not.toContain('entropy');
      expect(stdout).toBe('zombies=0\n');
    });

    it('ends when the NSM answers anything but 256 random bytes', async () => {
      const error = Buffer.from('a1654572726f726f496e76616c6964417267756d656e74', 'hex');
      const short = Buffer.from('a16947657452616e646f6da16672616e646f6d4400000000', 'hex');
      for (const response of [
        Buffer.alloc(0),
        error,
        short,
        RANDOM.subarray(0, -1),
        Buffer.concat([RANDOM, Buffer.of(0)]),
      ]) {
        enclave.prepare(enclave.testInit);
        writeFileSync(join(enclave.root, 'nsm-response'), response);
        const { console, stdout } = await enclave.run([...PROBE, 'arg=describe', 'heartbeat=0']);
        expect(console).toContain("expected 256 bytes of the NSM's GetRandom");
        expect(stdout).toBe('');
      }
    });

    it('goes on without an NSM, and says so', async () => {
      const { console, stdout } = await enclave.run([...PROBE, 'arg=orphans', 'heartbeat=0']);
      expect(console).toContain('no /dev/nsm');
      expect(stdout).toBe('zombies=0\n');
    });
  });
});
