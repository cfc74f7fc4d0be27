// `nitro-enclaves proxy` on an emulator's parent: the file is read as it is and checked. The parent has KMS on port 8000 and
// credentials on port 8001 already, so only routes into enclaves are served, on this machine's loopback address.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse, stringify } from 'yaml';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { config: { type: 'string' }, check: { type: 'boolean' } },
});
const main = join(process.env.TREE, 'packages', 'cli', 'dist', 'main.js');

function proxy(...args) {
  const { status } = spawnSync(process.execPath, [main, 'proxy', ...args], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

proxy(...positionals, '--check', '--config', values.config);
if (values.check) process.exit(0);
const { routes = [] } = parse(readFileSync(values.config, 'utf8'));
const inward = routes
  .filter(({ from }) => from.tcp !== undefined)
  .map((route) => ({ ...route, from: { tcp: route.from.tcp.replace('0.0.0.0', '127.0.0.1') } }));
if (inward.length > 0) {
  const file = join(process.env.INSTANCE, 'inward.yaml');
  writeFileSync(file, stringify({ routes: inward }));
  proxy('--config', file, '--emulator', join(process.env.NITRO_ENCLAVES_EMULATOR_FOLDER, 'vsock'));
}
