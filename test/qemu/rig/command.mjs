import { spawn } from 'node:child_process';

/**
 * Runs a program to its end and gives back what it wrote to standard output. Its standard error is kept for the error
 * message only: a build that succeeds has nothing to say.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, input?: Uint8Array, timeout: number }} options `timeout` in ms.
 * @returns {Promise<Buffer>}
 */
export function runCommand(program, args, { cwd, env = process.env, input, timeout }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL' });
    const output = [];
    const errors = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => errors.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(Buffer.concat(output));
      const said = Buffer.concat([...output.slice(-50), ...errors])
        .toString()
        .trim()
        .split('\n')
        .slice(-30)
        .join('\n');
      const end = signal === null ? `exit code ${code}` : `${signal} after at most ${timeout} ms`;
      reject(new Error(`${program} ${args.join(' ')}: ${end}\n${said}`));
    });
    // A program that ends without reading its input is judged by its exit code, not by the broken pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
