import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ServiceConfig } from '@nitro-enclaves/parent';
import { ParentService, ProxyError, parseServiceConfig, systemdSockets } from '@nitro-enclaves/parent';
import { unixTransport, vsockTransport } from '@nitro-enclaves/vsock';
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { CommandContext } from '../command-context.ts';
import { officialProxy } from './official-command-line.ts';

interface ProxyFlags {
  readonly config: string;
  readonly ipv4?: true;
  readonly ipv6?: true;
  readonly num_workers?: number;
  readonly check?: true;
  readonly emulator?: string;
}

type Positional = readonly [port: number | undefined, host: string | undefined, remotePort: number | undefined];

function parseNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a number from ${least} to ${most}.`);
  };
}

function familyOf({ ipv4, ipv6 }: ProxyFlags): 4 | 6 | undefined {
  if (ipv4 === ipv6) return undefined;
  return ipv4 ? 4 : 6;
}

async function readConfig(
  [port, host, remotePort]: Positional,
  flags: ProxyFlags,
  cwd: string,
): Promise<ServiceConfig> {
  const text = await readFile(resolve(cwd, flags.config), 'utf8');
  const config = parseServiceConfig(text, flags.config);
  const family = familyOf(flags);
  if (port === undefined || host === undefined || remotePort === undefined)
    return { ...config, proxy: { ...config.proxy, family } };
  const args = { localPort: port, remoteAddress: host, remotePort, family };
  return { ...config, proxy: officialProxy(args, text, flags.config), credentials: undefined, logs: undefined };
}

/** AWS's own file is an allow-list and nothing more: it needs the target on the command line. */
function expectWork({ proxy, credentials, logs, metrics }: ServiceConfig, file: string): void {
  if (proxy.routes.length > 0 || [credentials, logs, metrics].some((part) => part !== undefined)) return;
  throw new ProxyError(
    'CONFIG_INVALID',
    `expected something to serve, found no routes in ${file}: add some, or give local-port, remote-address and remote-port`,
  );
}

/** A line of JSON for each event, with its time. */
function logTo({ stdout }: CommandContext): (entry: object) => void {
  return (entry) => stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
}

async function untilStopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((done) => signal.addEventListener('abort', done, { once: true }));
}

/** Serves until it is told to stop; SIGHUP reads the configuration again. */
async function serve(positional: Positional, flags: ProxyFlags, context: CommandContext): Promise<void> {
  const config = await readConfig(positional, flags, context.cwd);
  if (flags.check) {
    context.stderr.write(
      `${flags.config}: ${config.proxy.routes.length} routes, ${config.proxy.allowList.length} allowed targets\n`,
    );
    return;
  }
  expectWork(config, flags.config);
  if (flags.num_workers !== undefined)
    context.stderr.write('--num_workers has no effect: every connection is served at once\n');
  const log = logTo(context);
  const transport =
    flags.emulator === undefined
      ? vsockTransport()
      : unixTransport({ folder: resolve(context.cwd, flags.emulator), cid: 3 });
  const service = new ParentService({
    transport,
    config,
    log,
    systemdSockets: systemdSockets(context.env, process.pid),
  });
  const reload = () => {
    readConfig(positional, flags, context.cwd)
      .then((next) => service.reload(next))
      .catch((error: Error) => log({ event: 'reload-failed', detail: error.message }));
  };
  // From before the start on: without a listener, the signal would end the process.
  process.on('SIGHUP', reload);
  try {
    await service.start();
    await untilStopped(context.signal);
  } finally {
    process.off('SIGHUP', reload);
  }
  await service.stop();
}

/** `nitro-enclaves proxy`: the official command line, and the routes of a file. */
export function registerProxy(program: Command, context: CommandContext): void {
  program
    .command('proxy')
    .description(
      'relay connections between enclaves and the world, as AWS vsock-proxy does, or by the routes of a file',
    )
    .argument('[local-port]', 'vsock port to listen on', parseNumber(1, 0xffff_fffe))
    .argument('[remote-address]', 'host to connect to; has to be on the allow-list')
    .argument('[remote-port]', 'port to connect to', parseNumber(1, 65_535))
    .option('-c, --config <file>', 'allow-list and routes', '/etc/nitro_enclaves/vsock-proxy.yaml')
    .option('-4, --ipv4', 'use IPv4 only')
    .option('-6, --ipv6', 'use IPv6 only')
    .option('-w, --num_workers <n>', 'taken for compatibility, without effect', parseNumber(1, 1_000_000))
    .option('--check', 'read the configuration, say what is in it, and end')
    .option('--emulator <folder>', "the emulator's folder of sockets, in the place of AF_VSOCK")
    .action(async (port?: number, host?: string, remotePort?: number, flags?: ProxyFlags) => {
      if (port !== undefined && remotePort === undefined)
        program.error('error: expected local-port, remote-address and remote-port together, or none of them');
      if (flags !== undefined) await serve([port, host, remotePort], flags, context);
    });
}
