import { describe, expect, it } from 'vitest';
import type { Finding } from '../src/doctor/diagnosis.ts';
import { diagnose } from '../src/doctor/diagnosis.ts';
import type { MachineFacts } from '../src/doctor/machine-facts.ts';
import type { NsmFacts } from '../src/doctor/nsm-facts.ts';

/** A laptop: nothing of Nitro. */
const LAPTOP: MachineFacts = {
  platform: 'linux',
  architecture: 'x64',
  node: '22.9.0',
  emulated: false,
  nsmDevice: 'absent',
  nsmHardware: false,
  vsockDevice: 'absent',
  enclavesDevice: 'absent',
  nsm: undefined,
  localCid: new Error('open ENOENT /dev/vsock'),
  nitroCli: false,
  allocator: undefined,
  ec2: false,
};

const MODULE: NsmFacts = {
  description: {
    version: { major: 1, minor: 0, patch: 0 },
    moduleId: 'i-1234567890abcdef0-enc1234567890abcde',
    maxPcrs: 32,
    lockedPcrs: [0],
    digest: 'SHA384',
  },
  signer: 'aws',
  debugMode: false,
  clockLead: 12,
};

const ENCLAVE: MachineFacts = { ...LAPTOP, nsmDevice: 'usable', vsockDevice: 'usable', localCid: 16, nsm: MODULE };

const PARENT: MachineFacts = {
  ...LAPTOP,
  ec2: true,
  enclavesDevice: 'usable',
  vsockDevice: 'usable',
  localCid: 3,
  nitroCli: true,
  allocator: '---\nmemory_mib: 2048\ncpu_count: 2\n',
};

/** What is missing of `facts`, by what it is, with its remedy. */
function missing(facts: MachineFacts): Record<string, string | undefined> {
  const findings = diagnose(facts).findings.filter(({ state }) => state === 'missing');
  return Object.fromEntries(findings.map(({ what, remedy }) => [what, remedy]));
}

function finding(facts: MachineFacts, what: string): Finding | undefined {
  return diagnose(facts).findings.find((one) => one.what === what);
}

describe('what a machine is', () => {
  it.each([
    ['nitro-enclave', ENCLAVE],
    ['qemu-enclave', { ...ENCLAVE, nsm: { ...MODULE, signer: 'nobody' } }],
    ['unknown-enclave', { ...ENCLAVE, nsm: { ...MODULE, signer: 'other' } }],
    ['enclave-without-nsm', { ...ENCLAVE, nsm: new Error('EIO') }],
    ['enclave-without-nsm', { ...ENCLAVE, nsmDevice: 'absent', nsmHardware: true, nsm: undefined }],
    ['enclave-without-nsm', { ...PARENT, nsmDevice: 'absent', nsmHardware: true, nsm: undefined }],
    ['emulated-enclave', { ...LAPTOP, emulated: true, nsm: { ...MODULE, signer: 'other' } }],
    ['emulated-enclave', { ...PARENT, emulated: true, nsm: { ...MODULE, signer: 'other' } }],
    ['parent', PARENT],
    ['parent', { ...PARENT, enclavesDevice: 'forbidden' }],
    ['ec2-instance', { ...PARENT, enclavesDevice: 'absent' }],
    ['other', LAPTOP],
  ] satisfies [string, MachineFacts][])('%s', (place, facts) => {
    expect(diagnose(facts).place).toBe(place);
  });
});

describe('what is missing', () => {
  it('nothing, in an enclave and on a parent where all is well, nor on a laptop', () => {
    for (const facts of [ENCLAVE, PARENT, LAPTOP]) expect(missing(facts)).toEqual({});
  });

  it('on a parent: rights, vsock, nitro-cli, memory, each with what to do', () => {
    const bare: MachineFacts = {
      ...PARENT,
      enclavesDevice: 'forbidden',
      localCid: new Error('EACCES'),
      nitroCli: false,
      allocator: '# memory_mib: 512\n',
    };
    expect(Object.keys(missing(bare))).toEqual(['enclaves driver', 'AF_VSOCK', 'nitro-cli', 'allocator']);
    for (const remedy of Object.values(missing(bare))) expect(remedy).toMatch(/\w{5}/);
  });

  it('on an instance without enclave support: how to launch one that has it', () => {
    expect(missing({ ...PARENT, enclavesDevice: 'absent' })['enclaves driver']).toContain('Enabled=true');
  });

  it('in an enclave: an NSM that may not be opened or does not answer, and vsock', () => {
    expect(Object.keys(missing({ ...ENCLAVE, nsmDevice: 'forbidden', nsm: new Error('EACCES') }))).toEqual(['NSM']);
    expect(Object.keys(missing({ ...ENCLAVE, nsm: new Error('EIO') }))).toEqual(['NSM']);
    expect(Object.keys(missing({ ...ENCLAVE, localCid: new Error('ENODEV') }))).toEqual(['AF_VSOCK']);
  });

  it('in an enclave: the driver of its NSM', () => {
    const driverless: MachineFacts = { ...ENCLAVE, nsmDevice: 'absent', nsmHardware: true, nsm: undefined };
    expect(missing(driverless)).toEqual({ NSM: expect.stringContaining('nsm.ko') });
  });

  it('a CID, where the kernel has vsock and no driver that gives one', () => {
    expect(finding({ ...ENCLAVE, localCid: 0xffff_ffff }, 'AF_VSOCK')).toMatchObject({
      state: 'missing',
      found: 'this machine has no CID',
    });
  });

  it.each([
    [-600_000, '600.0 s behind the NSM'],
    [600_000, '600.0 s ahead of the NSM'],
  ])('a clock, with the way in which it is wrong: %s', (clockLead, found) => {
    expect(finding({ ...ENCLAVE, nsm: { ...MODULE, clockLead } }, 'clock')?.found).toBe(found);
  });

  it('a clock that is minutes off, either way', () => {
    for (const clockLead of [-600_000, 600_000]) {
      expect(Object.keys(missing({ ...ENCLAVE, nsm: { ...MODULE, clockLead } }))).toEqual(['clock']);
    }
  });

  it.each(['18.20.0', '20.18.1'])('a Node that is too old: %s', (node) => {
    expect(Object.keys(missing({ ...LAPTOP, node }))).toEqual(['Node']);
  });
});

describe('what is good to know', () => {
  it('that an enclave is in debug mode', () => {
    expect(finding({ ...ENCLAVE, nsm: { ...MODULE, debugMode: true } }, 'debug mode')?.state).toBe('note');
  });

  it.each([
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'riscv64'],
  ])('that sockets and the NSM do not work on %s on %s', (platform, architecture) => {
    expect(finding({ ...LAPTOP, platform, architecture }, 'system')?.state).toBe('note');
  });

  it.each([
    ['memory_mib: 512\ncpu_count: 2\n', '512 MiB and 2 CPUs for enclaves'],
    ['memory_mib: 512\ncpu_pool: "2,3,6-9"\n', '512 MiB and the CPUs 2,3,6-9 for enclaves'],
    ['memory_mib: 512\ncpu_pool: 2,3\n', '512 MiB and the CPUs 2,3 for enclaves'],
    ['memory_mib: 512\n', '512 MiB and no CPUs for enclaves'],
  ])('what the allocator keeps for enclaves: %j', (text, found) => {
    expect(finding({ ...PARENT, allocator: `---\n${text}` }, 'allocator')).toMatchObject({ state: 'ok', found });
  });

  it('that a laptop can emulate enclaves', () => {
    expect(finding(LAPTOP, 'enclaves')?.remedy).toContain('emulator');
  });
});
