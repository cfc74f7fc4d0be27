import { VMADDR_CID_ANY } from '@nitro-enclaves/vsock';
import type { MachineFacts } from './machine-facts.ts';
import type { NsmFacts } from './nsm-facts.ts';

/** What a machine is to Nitro Enclaves. */
export type Place =
  | 'nitro-enclave'
  | 'qemu-enclave'
  | 'emulated-enclave'
  | 'unknown-enclave'
  | 'enclave-without-nsm'
  | 'parent'
  | 'ec2-instance'
  | 'other';

/** One thing that was looked at. */
export interface Finding {
  readonly what: string;
  /** `missing` keeps something from working here; `note` is good to know. */
  readonly state: 'ok' | 'missing' | 'note';
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** What a machine is, and what is missing. */
export interface Diagnosis {
  readonly place: Place;
  readonly summary: string;
  readonly findings: readonly Finding[];
}

const SUMMARIES: Readonly<Record<Place, string>> = {
  'nitro-enclave': 'a Nitro enclave: its attestation documents are signed by AWS',
  'qemu-enclave': "an enclave in QEMU's nitro-enclave machine: everything but the signatures of its documents is real",
  'emulated-enclave': 'an enclave of the emulator: nobody trusts its documents who was not told to',
  'unknown-enclave': 'an enclave whose documents neither AWS signs nor QEMU leaves unsigned: trust nothing here',
  'enclave-without-nsm': 'an enclave that cannot attest: its Nitro Secure Module does not answer',
  parent: 'a parent instance: enclaves can be started here',
  'ec2-instance': 'an EC2 instance without enclave support',
  other: 'neither an enclave nor a parent instance: enclaves can be emulated here',
};

/** A document's timestamp may be rounded to a second, and requests to KMS may be off by minutes. */
const CLOCK_TOLERANCE = 60_000;
const OLDEST_NODE = [20, 19] as const;

const ENCLAVES_BY_SIGNER = { aws: 'nitro-enclave', nobody: 'qemu-enclave', other: 'unknown-enclave' } as const;

function isFacts(nsm: MachineFacts['nsm']): nsm is NsmFacts {
  return nsm !== undefined && !(nsm instanceof Error);
}

function placeOf({ emulated, nsm, nsmHardware, enclavesDevice, ec2 }: MachineFacts): Place {
  if (emulated) return 'emulated-enclave';
  if (nsm instanceof Error || (nsm === undefined && nsmHardware)) return 'enclave-without-nsm';
  if (nsm !== undefined) return ENCLAVES_BY_SIGNER[nsm.signer];
  if (enclavesDevice !== 'absent') return 'parent';
  return ec2 ? 'ec2-instance' : 'other';
}

function nodeFinding({ node }: MachineFacts): Finding {
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const enough = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  if (enough) return { what: 'Node', state: 'ok', found: node };
  return { what: 'Node', state: 'missing', found: node, remedy: 'install Node 20.19 or later' };
}

function addonFinding({ platform, architecture }: MachineFacts): Finding {
  const found = `${platform} on ${architecture}`;
  if (platform === 'linux' && ['x64', 'arm64'].includes(architecture)) return { what: 'system', state: 'ok', found };
  const remedy = 'AF_VSOCK and the NSM need Linux on x64 or arm64; verifying, images and the emulator work here';
  return { what: 'system', state: 'note', found, remedy };
}

function nsmFinding({ nsm, nsmDevice }: MachineFacts): Finding {
  if (isFacts(nsm)) return { what: 'NSM', state: 'ok', found: nsm.description.moduleId };
  if (nsmDevice === 'forbidden') {
    const remedy = 'let this user read and write /dev/nsm (the driver makes it with mode 0666)';
    return { what: 'NSM', state: 'missing', found: '/dev/nsm may not be opened', remedy };
  }
  const found = nsm === undefined ? 'no /dev/nsm' : nsm.message;
  const remedy = 'boot with a kernel that has the driver (CONFIG_NSM), and load its module nsm.ko in the init';
  return { what: 'NSM', state: 'missing', found, remedy };
}

function debugFinding({ debugMode }: NsmFacts): Finding {
  if (!debugMode) return { what: 'debug mode', state: 'ok', found: 'off' };
  const remedy = 'start the enclave without --debug-mode and --attach-console before it is trusted with anything';
  return { what: 'debug mode', state: 'note', found: 'on: PCR0, PCR1 and PCR2 are zero', remedy };
}

function clockFinding({ clockLead }: NsmFacts): Finding {
  const seconds = `${(Math.abs(clockLead) / 1000).toFixed(1)} s ${clockLead < 0 ? 'behind' : 'ahead of'} the NSM`;
  if (Math.abs(clockLead) <= CLOCK_TOLERANCE) return { what: 'clock', state: 'ok', found: seconds };
  const remedy = 'set the clock, or AWS refuses signed requests; an enclave can synchronise from /dev/ptp0';
  return { what: 'clock', state: 'missing', found: seconds, remedy };
}

function vsockFinding({ localCid, vsockDevice }: MachineFacts): Finding {
  // The kernel says "any" while no driver has given the machine a CID.
  if (typeof localCid === 'number' && localCid !== VMADDR_CID_ANY) {
    return { what: 'AF_VSOCK', state: 'ok', found: `CID ${localCid}` };
  }
  const trouble = typeof localCid === 'number' ? 'this machine has no CID' : localCid.message;
  const found = vsockDevice === 'absent' ? 'no /dev/vsock' : trouble;
  const remedy = 'load the kernel module: modprobe vmw_vsock_virtio_transport (enclave) or vhost_vsock (parent)';
  return { what: 'AF_VSOCK', state: 'missing', found, remedy };
}

function driverFinding({ enclavesDevice }: MachineFacts): Finding {
  if (enclavesDevice === 'usable') return { what: 'enclaves driver', state: 'ok', found: '/dev/nitro_enclaves' };
  const remedy = 'add this user to the group ne: usermod -aG ne USER, and log in again';
  return { what: 'enclaves driver', state: 'missing', found: '/dev/nitro_enclaves may not be opened', remedy };
}

function nitroCliFinding({ nitroCli }: MachineFacts): Finding {
  if (nitroCli) return { what: 'nitro-cli', state: 'ok', found: 'installed' };
  const remedy = 'dnf install aws-nitro-enclaves-cli (Amazon Linux 2023); images are built without it';
  return { what: 'nitro-cli', state: 'missing', found: 'not on the PATH', remedy };
}

function allocatorFinding({ allocator }: MachineFacts): Finding {
  const memory = /^\s*memory_mib:\s*(\d+)/m.exec(allocator ?? '')?.[1];
  const count = /^\s*cpu_count:\s*(\d+)/m.exec(allocator ?? '')?.[1];
  const pool = /^\s*cpu_pool:\s*["']?([\d,\s-]*\d)/m.exec(allocator ?? '')?.[1];
  if (memory !== undefined) {
    const cpus = pool === undefined ? `${count ?? 'no'} CPUs` : `the CPUs ${pool}`;
    return { what: 'allocator', state: 'ok', found: `${memory} MiB and ${cpus} for enclaves` };
  }
  const remedy = 'systemctl enable --now nitro-enclaves-allocator, sized in /etc/nitro_enclaves/allocator.yaml';
  return {
    what: 'allocator',
    state: 'missing',
    found: 'no /etc/nitro_enclaves/allocator.yaml with memory_mib',
    remedy,
  };
}

function elsewhereFinding(place: Place): Finding {
  const emulator = 'run applications with `nitro-enclaves emulator run-enclave`';
  if (place === 'ec2-instance') {
    const found = 'no /dev/nitro_enclaves';
    const remedy = `launch with --enclave-options 'Enabled=true' on a type that supports it; meanwhile ${emulator}`;
    return { what: 'enclaves driver', state: 'missing', found, remedy };
  }
  return { what: 'enclaves', state: 'note', found: 'none, and no way to start a real one', remedy: emulator };
}

function findingsOf(place: Place, facts: MachineFacts): Finding[] {
  const { nsm } = facts;
  if (place === 'parent')
    return [driverFinding, vsockFinding, nitroCliFinding, allocatorFinding].map((look) => look(facts));
  if (place === 'other' || place === 'ec2-instance') return [elsewhereFinding(place)];
  const transport = place === 'emulated-enclave' ? [] : [vsockFinding(facts)];
  return [nsmFinding(facts), ...transport, ...(isFacts(nsm) ? [debugFinding(nsm), clockFinding(nsm)] : [])];
}

/** Says what a machine is, what is missing there, and how to get it. */
export function diagnose(facts: MachineFacts): Diagnosis {
  const place = placeOf(facts);
  const findings = [nodeFinding(facts), addonFinding(facts), ...findingsOf(place, facts)];
  return { place, summary: SUMMARIES[place], findings };
}
