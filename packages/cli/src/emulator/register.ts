import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { CommandContext } from '../command-context.ts';
import type { RegisterCommands } from '../program.ts';
import { collect } from '../repeatable.ts';
import { consoleCommand } from './console.ts';
import type { DescribeFlags } from './describe-enclaves.ts';
import { describeCommand } from './describe-enclaves.ts';
import type { EnclaveOptions } from './enclave-choice.ts';
import { chooseEnclave } from './enclave-choice.ts';
import { folderOption } from './folder-option.ts';
import type { RunOptions } from './run-enclave.ts';
import { runEnclaveCommand, whatToRun } from './run-enclave.ts';
import { terminateAllCommand, terminateCommand } from './terminate-enclave.ts';
import type { UpOptions } from './up.ts';
import { upCommand } from './up.ts';

function count(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected a whole number');
}

const UNITS: Readonly<Record<string, number>> = { M: 1, G: 1024, T: 1024 * 1024 };

/** MiB, or nitro-cli's 512M, 2G, 1T. */
function memory(text: string): number {
  const [, digits, unit = 'M'] = text.match(/^(\d{1,9})([MGT]?)$/i) ?? [];
  if (digits === undefined) throw new InvalidArgumentError('expected MiB, or a number with M, G or T');
  return Number(digits) * (UNITS[unit.toUpperCase()] ?? 1);
}

function variable(text: string, previous: readonly string[] = []): readonly string[] {
  if (/^[^=\0]+=/.test(text)) return [...previous, text];
  throw new InvalidArgumentError('expected NAME=value');
}

function addUp(emulator: Command, context: CommandContext): void {
  emulator
    .command('up')
    .description('start a parent, its hypervisor and KMS, and run them until Ctrl-C')
    .addOption(folderOption())
    .option('--seed <text>', 'determines every key, id and random byte (default: random)')
    .option('--region <region>', 'AWS region (default: us-east-1)')
    .option('--instance-id <id>', 'id of the parent instance, measured into PCR4')
    .option('--role-arn <arn>', "ARN of the parent's IAM role, measured into PCR3")
    .option('--key <alias[=policy.json]>', 'a KMS key that is there from the start; may be repeated', collect)
    .option('--kms-store <file>', 'keep the KMS keys in an SQLite file (default: memory)')
    .option('--faults <file.json>', 'what goes wrong, and when: { "nsm": [{ "kind": "slow", "ms": 500 }] }')
    .addOption(new Option('--no-kms', 'leave KMS out').conflicts(['key', 'kmsStore']))
    .option('--no-namespaces', "let enclaves see this machine's network and processes")
    .option('--json', 'print JSON')
    .action((options: UpOptions) => upCommand(options, context));
}

function addRunEnclave(emulator: Command, context: CommandContext): void {
  const run = emulator
    .command('run-enclave')
    .description('start an image or a command as an enclave')
    .argument('[command...]', 'the command, after --')
    .addOption(folderOption())
    .addOption(new Option('--eif <image>', 'the enclave image (EIF)').conflicts('eifPath'))
    .option('--eif-path <image>', 'the same, by the name that nitro-cli has for it')
    .option(
      '--memory <MiB>',
      'memory, such as 512, 512M or 2G; an image may be a quarter of it (default: 1024)',
      memory,
    )
    .option('--cpu-count <count>', 'CPUs (default: 2)', count)
    .option('--enclave-cid <cid>', 'CID, 4 or more (default: chosen)', count)
    .option('--enclave-name <name>', 'name (default: that of the image or command)')
    .option('--debug-mode', 'make the console readable, and PCR0, PCR1 and PCR2 zero')
    .option('--attach-console', 'read the console until the enclave ends; implies --debug-mode')
    .addOption(
      new Option('--env <NAME=value>', 'environment of a command, which gets nothing else; may be repeated')
        .argParser(variable)
        .conflicts(['eif', 'eifPath']),
    )
    .addOption(
      new Option('--measure <path>', 'a further file or folder of a command to measure into PCR2; may be repeated')
        .argParser(collect)
        .conflicts(['eif', 'eifPath']),
    )
    .option('--json', 'print JSON (there is no other form)')
    .action((command: readonly string[], options: RunOptions) =>
      runEnclaveCommand(
        whatToRun(options, command, (message) => run.error(message)),
        options,
        context,
      ),
    );
}

function addDescribe(emulator: Command, context: CommandContext): void {
  emulator
    .command('describe-enclaves')
    .description('list the enclaves that run')
    .addOption(folderOption())
    .option('--metadata', 'show what each image says of itself, which nothing measures')
    .option('--json', 'print JSON (there is no other form)')
    .action((flags: DescribeFlags) => describeCommand(flags, context));
}

function addConsole(emulator: Command, context: CommandContext): void {
  const console = emulator
    .command('console')
    .description('read the console of an enclave in debug mode until it ends')
    .addOption(folderOption())
    .option('--enclave-id <id>', 'id of the enclave')
    .option('--enclave-name <name>', 'name of the enclave')
    .action((options: EnclaveOptions) =>
      consoleCommand(
        chooseEnclave(options, (message) => console.error(message)),
        context,
      ),
    );
}

function addTerminate(emulator: Command, context: CommandContext): void {
  const terminate = emulator
    .command('terminate-enclave')
    .description('end an enclave at once')
    .addOption(folderOption())
    .option('--enclave-id <id>', 'id of the enclave')
    .option('--enclave-name <name>', 'name of the enclave')
    .addOption(new Option('--all', 'every enclave').conflicts(['enclaveId', 'enclaveName']))
    .option('--json', 'print JSON (there is no other form)')
    .action((options: EnclaveOptions & { readonly all?: boolean }) =>
      options.all
        ? terminateAllCommand(options, context)
        : terminateCommand(
            chooseEnclave(options, (message) => terminate.error(message)),
            context,
          ),
    );
}

/** `emulator up`, and nitro-cli's commands for the enclaves of an emulator. */
export const registerEmulator: RegisterCommands = (program, context) => {
  const emulator = program
    .command('emulator')
    .description('run enclaves on this machine: NSM, KMS and vsock without the hardware, for development and tests');
  for (const add of [addUp, addRunEnclave, addDescribe, addConsole, addTerminate]) add(emulator, context);
};
