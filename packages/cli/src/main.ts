#!/usr/bin/env node
import { EXIT_CODE } from './exit-code.ts';
import { run } from './program.ts';

const stop = new AbortController();
let isOutputLost = false;
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.once(name, () => stop.abort(new Error(`stopped by ${name}`)));

// A reader that has seen enough (`| head`) ends the command, and is no fault of it. Results that a full disk does not take are lost.
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  stop.abort(new Error('stopped: standard output takes nothing any more'));
  if (code === 'EPIPE') return;
  process.stderr.write(`error: standard output: ${message}\n`);
  isOutputLost = true;
});

// What is said to people is lost when nobody hears it; the command goes on, and ends with what it found.
process.stderr.on('error', () => {});

await run(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  signal: stop.signal,
  exitWith: (code) => {
    process.exitCode = code;
  },
});

process.once('exit', () => {
  if (isOutputLost) process.exitCode = EXIT_CODE.UNAVAILABLE;
});
