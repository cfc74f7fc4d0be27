// nitro-cli: its command line is checked as nitro-cli checks it, and the emulator does what it asks for.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseNitroCliArguments } from '../nitro-cli-arguments.mjs';

const EXIT_OF_A_REFUSED_COMMAND_LINE = 2;

/** The words after `nitro-enclaves` that do the same. */
function standInFor({ command, options }) {
  const given = Object.entries(options)
    .filter(([name]) => name !== 'disconnect-timeout')
    .flatMap(([name, value]) => [`--${name}`, ...(value === true ? [] : [value].flat())]);
  return command === 'describe-eif' ? ['eif', 'describe', options['eif-path']] : ['emulator', command, ...given];
}

let commandLine;
try {
  commandLine = parseNitroCliArguments(process.argv.slice(2));
} catch (error) {
  console.error(`nitro-cli ${process.argv.slice(2).join(' ')}: ${error.message}`);
  process.exit(EXIT_OF_A_REFUSED_COMMAND_LINE);
}
const main = join(process.env.TREE, 'packages', 'cli', 'dist', 'main.js');
const child = spawn(process.execPath, [main, ...standInFor(commandLine)], { stdio: 'inherit' });
const { 'disconnect-timeout': seconds } = commandLine.options;
const disconnect = seconds === undefined ? undefined : setTimeout(() => child.kill('SIGTERM'), Number(seconds) * 1000);
child.once('exit', (code) => {
  clearTimeout(disconnect);
  process.exitCode = child.killed ? 0 : (code ?? 1);
});
