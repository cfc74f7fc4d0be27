import { NitroEnclavesError } from '@nitro-enclaves/core';

/** nitro-cli's error codes with what each means and what to look at (nitro-cli, "Error codes"). */
export const NITRO_CLI_ERRORS = {
  E00: 'something that nitro-cli has no name for: read its log',
  E01: 'a mandatory argument is missing',
  E02: 'two arguments exclude one another',
  E03: 'an argument is not of its type',
  E04: 'no socket pair to the enclave process could be made',
  E05: 'the enclave process could not be started',
  E06: 'the enclave process could not go to the background',
  E07: 'the folder of enclave sockets could not be read: run the Nitro Enclaves configuration script',
  E08: 'the connection to the enclave process is unusable: it has ended',
  E09: 'a socket could not be closed',
  E10: 'the enclave process did not answer in time',
  E11: 'a socket failed',
  E12: 'epoll failed',
  E13: 'inotify failed',
  E14: 'the enclave process does not know this command',
  E15: 'a lock could not be taken',
  E16: 'a thread could not be joined',
  E17: 'data could not be encoded or decoded',
  E18: 'a file has the wrong permissions: is the user in the group ne',
  E19: 'a file could not be opened, read or written: check its path and permissions',
  E20: 'the list of CPUs is wrong',
  E21: 'a CPU asked for is not in the pool of the allocator',
  E22: 'the pool has not enough CPUs: raise cpu_count in the allocator configuration',
  E23: 'a CPU id is malformed',
  E24: 'the CPUs could not be used',
  E25: 'the kernel knows no huge pages of this size',
  E26: 'the memory asked for is less than 4 times the image: ask for more',
  E27: 'there are not enough free huge pages: raise memory_mib in the allocator configuration',
  E28: 'the descriptor of the enclave is invalid',
  E29: 'an ioctl of /dev/nitro_enclaves failed: the driver says why',
  E30: 'the driver did not say where the image goes',
  E31: 'the driver refused a memory region',
  E32: 'the driver refused a CPU',
  E33: 'the driver could not start the enclave: is its CID taken',
  E34: 'the image does not fit into the memory regions',
  E35: 'the image is no EIF that nitro-cli can read',
  E36: 'the enclave did not boot: it sent no heartbeat in time; try debug mode and read its console',
  E37: 'waiting for events of the enclave failed',
  E38: 'the enclave process did not carry out the command',
  E39: 'the enclave process could not be reached: the enclave may have terminated',
  E40: 'the socket of the enclave process is not there',
  E41: 'the enclave process could not answer',
  E42: 'memory of the enclave could not be mapped',
  E43: 'memory of the enclave could not be unmapped',
  E44: 'the console could not be reached: only an enclave in debug mode has one',
  E45: 'the console could not be read',
  E46: 'the output of the console could not be written',
  E47: 'a number could not be read',
  E48: 'the EIF could not be built',
  E49: 'the Docker image could not be built',
  E50: 'the Docker image could not be pulled',
  E51: 'NITRO_CLI_ARTIFACTS is not set, and there is no home folder',
  E52: 'NITRO_CLI_BLOBS is not set',
  E53: 'the clock went backwards',
  E54: 'signals could not be masked',
  E55: 'signals could not be unmasked',
  E56: 'the log could not be written',
  E57: 'an enclave id could not be hashed',
  E58: 'no enclave has this name, or the name is not unique',
  E59: "the image's signature does not hold",
  E60: 'the image could not be signed',
} as const;

/** One of nitro-cli's error codes. */
export type NitroCliErrorCode = keyof typeof NITRO_CLI_ERRORS;

/** nitro-cli failed. `message` holds what the code means and nitro-cli's own line of it. */
export class NitroCliError extends NitroEnclavesError<NitroCliErrorCode> {
  /** All that nitro-cli wrote to standard error, at most 16 KiB. */
  readonly output: string;

  constructor(code: NitroCliErrorCode, output: string) {
    super(code, `${NITRO_CLI_ERRORS[code]} (nitro-cli ${code}: ${ownLine(output, code)})`);
    this.output = output;
  }
}

/** The line `[ E26 ] …` that nitro-cli puts before its explanation. */
function ownLine(output: string, code: NitroCliErrorCode): string {
  const line = output.split('\n').find((text) => text.includes(`[ ${code} ]`)) ?? 'nothing more';
  return line
    .slice(line.indexOf(']') + 1)
    .trim()
    .slice(0, 300);
}

function isNitroCliErrorCode(code: string): code is NitroCliErrorCode {
  return code in NITRO_CLI_ERRORS;
}

/** The code in the line that nitro-cli wrote; else its exit status, which is the same number. */
export function nitroCliErrorCode(output: string, status: number | null): NitroCliErrorCode {
  const written = /\[ (E\d\d) \]/.exec(output)?.[1];
  const code = written ?? `E${String(status ?? 0).padStart(2, '0')}`;
  return isNitroCliErrorCode(code) ? code : 'E00';
}
