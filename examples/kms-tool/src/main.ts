#!/usr/bin/env node
// The entry point. The line with openEnclave is the only one that finds out where it runs.
import { openEnclave } from '@nitro-enclaves/emulator/enclave';
import type { ToolRequest } from './request.ts';
import { EXIT_REFUSED, EXIT_USAGE, readRequest, USAGE, UsageError } from './request.ts';
import { describeRefusal, perform } from './tool.ts';

function requestOrExit(): ToolRequest {
  try {
    const { argv, env, stdout } = process;
    return readRequest({ args: argv.slice(2), env, isTerminal: stdout.isTTY === true });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`kms-tool: ${error.message}\n${USAGE}`);
    process.exit(EXIT_USAGE);
  }
}

const request = requestOrExit();
const enclave = await openEnclave({ hardware: true });
try {
  process.stdout.write(await perform(enclave, request));
} catch (error) {
  console.error(describeRefusal(error));
  process.exitCode = EXIT_REFUSED;
} finally {
  await enclave.close();
}
