import { readFile } from 'node:fs/promises';
import type { Simulation, SimulationRequest } from '@nitro-enclaves/emulator';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { DOCUMENT_ARGUMENT, readDocument } from '../attestation/document-source.ts';
import type { CommandContext } from '../command-context.ts';
import { EXIT_CODE } from '../exit-code.ts';
import { pathOf, writeJson, writeLines } from '../output.ts';

type Pairs = Readonly<Record<string, string>>;
type Values = Readonly<Record<string, readonly string[]>>;

interface SimulateOptions {
  readonly document?: string;
  readonly pcr?: Pairs;
  readonly nitroTpm?: boolean;
  readonly action?: string;
  readonly principal?: string;
  readonly resource?: string;
  readonly encryptionContext?: Pairs;
  readonly context?: Values;
  readonly identityPolicy?: readonly string[];
  readonly at?: number;
  readonly json?: boolean;
}

function parsePair(text: string): [name: string, value: string] {
  const [, name, value] = text.match(/^([^=]+)=(.*)$/s) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw new InvalidArgumentError('expected NAME=VALUE');
}

// Options that may be repeated have no default: help would show it as an empty object.
function collectPairs(text: string, pairs: Pairs = {}): Pairs {
  const [name, value] = parsePair(text);
  // The last one would win, and the others count for nothing.
  if (Object.hasOwn(pairs, name)) throw new InvalidArgumentError(`${name} is there already`);
  return { ...pairs, [name]: value };
}

/** A name that is given again gets one more value: some keys of the request context have many. */
function collectValues(text: string, values: Values = {}): Values {
  const [name, value] = parsePair(text);
  return { ...values, [name]: [...(Object.hasOwn(values, name) ? (values[name] ?? []) : []), value] };
}

/** Without a zone it would be another moment on every machine; and `Date.parse` takes "1" for a year. */
const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/;

function parseTime(text: string): number {
  const time = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new InvalidArgumentError('expected a time such as 2026-01-15T12:00:00Z');
  return time;
}

/** What the request would carry of the enclave: a document, PCRs, or nothing. */
async function recipientOf(options: SimulateOptions, context: CommandContext): Promise<Partial<SimulationRequest>> {
  const pcrs = options.pcr === undefined ? {} : { pcrs: options.pcr };
  const kind = options.nitroTpm ? { kind: 'nitrotpm' as const } : {};
  if (options.document === undefined) return { ...pcrs, ...kind };
  return { ...pcrs, ...kind, document: await readDocument(options.document, context) };
}

async function requestOf(
  policyFile: string,
  options: SimulateOptions,
  context: CommandContext,
): Promise<SimulationRequest> {
  const { action, principal, resource, identityPolicy, at } = options;
  const read = (path: string) => readFile(pathOf(context, path), 'utf8');
  return {
    policy: await read(policyFile),
    ...(await recipientOf(options, context)),
    encryptionContext: options.encryptionContext ?? {},
    context: options.context ?? {},
    ...(action === undefined ? {} : { action }),
    ...(principal === undefined ? {} : { principal }),
    ...(resource === undefined ? {} : { resource }),
    ...(identityPolicy === undefined ? {} : { identityPolicies: await Promise.all(identityPolicy.map(read)) }),
    ...(at === undefined ? {} : { now: at }),
  };
}

function write(context: CommandContext, simulation: Simulation, { json }: SimulateOptions): void {
  const { principal, action, resource, explanation } = simulation;
  if (json) writeJson(context, simulation);
  else writeLines(context, [`${principal} wants ${action} on ${resource}`, ...explanation.split('\n')]);
}

/** Adds `kms-policy simulate`. */
export function registerSimulate(kmsPolicy: Command, context: CommandContext): void {
  const command = kmsPolicy
    .command('simulate')
    .description('tell whether a key policy would allow a request, and which statement and condition decide')
    .argument('<policy>', 'the key policy, a file of JSON')
    .addOption(
      new Option(
        '--document <document>',
        `the attestation document, believed without verification: ${DOCUMENT_ARGUMENT}`,
      ).conflicts(['pcr', 'nitroTpm']),
    )
    .option('--pcr <index=hex>', 'a measurement in place of a document; may be given again', collectPairs)
    .option('--nitro-tpm', 'the measurements are of a NitroTPM')
    .option('--action <action>', 'what is asked for (default: kms:Decrypt)')
    .option('--principal <arn>', 'who asks (default: the one whom the policy allows it)')
    .option('--resource <arn>', 'the key (default: the one that the policy names)')
    .option('--encryption-context <name=value>', 'a pair of the encryption context; may be given again', collectPairs)
    .option('--context <key=value>', 'a condition key, such as aws:SourceIp; may be given again', collectValues)
    .option('--identity-policy <file...>', "the caller's IAM policies (default: one that allows everything)")
    .option('--at <time>', 'the time of the request (default: now)', parseTime)
    .option('--json', 'print the decision with every statement and condition as JSON')
    .action(async (policyFile: string, options: SimulateOptions) => {
      if (options.nitroTpm && options.pcr === undefined) command.error('error: --nitro-tpm says what --pcr is of');
      // Loaded here: the emulator is large, and `kms-policy` without `simulate` does not need it.
      const { simulate } = await import('@nitro-enclaves/emulator');
      const simulation = simulate(await requestOf(policyFile, options, context));
      write(context, simulation, options);
      if (simulation.decision !== 'allowed') context.exitWith(EXIT_CODE.POLICY);
    });
}
