import type { CommandContext } from '../command-context.ts';
import { EXIT_CODE } from '../exit-code.ts';
import { writeJson, writeLines } from '../output.ts';
import type { RegisterCommands } from '../program.ts';
import type { Finding } from './diagnosis.ts';
import { diagnose } from './diagnosis.ts';
import { readMachineFacts } from './machine-facts.ts';

const MARKS: Readonly<Record<Finding['state'], string>> = { ok: '✓', missing: '✗', note: 'i' };
const NAME_WIDTH = 18;

function linesOf({ what, state, found, remedy }: Finding): string[] {
  const lines = [`${MARKS[state]} ${what.padEnd(NAME_WIDTH)}${found}`];
  if (remedy !== undefined) lines.push(`  ${' '.repeat(NAME_WIDTH)}→ ${remedy}`);
  return lines;
}

async function doctorCommand({ json }: { json?: true }, context: CommandContext): Promise<void> {
  const diagnosis = diagnose(await readMachineFacts(context));
  if (diagnosis.findings.some(({ state }) => state === 'missing')) context.exitWith(EXIT_CODE.UNAVAILABLE);
  if (json) return writeJson(context, diagnosis);
  writeLines(context, [`This is ${diagnosis.summary}.`, '', ...diagnosis.findings.flatMap(linesOf)]);
}

/** Adds `doctor`. */
export const registerDoctor: RegisterCommands = (program, context) => {
  program
    .command('doctor')
    .description(
      'say what this machine is (enclave, parent instance, QEMU, emulator), what is missing and how to get it',
    )
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit codes: 0 nothing is missing, 4 something is')
    .action((flags: { json?: true }) => doctorCommand(flags, context));
};
