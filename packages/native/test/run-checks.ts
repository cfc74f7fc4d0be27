// Bundled into one file and run by whatever Node is to be checked: prints one line of JSON for each check.
import { randomUUID } from 'node:crypto';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { transportConformance } from '../../vsock/src/conformance/index.ts';
import { nativeTransport } from '../../vsock/src/native-transport.ts';
import { unixFamily } from '../../vsock/test/unix-family.ts';
import { CHECKS } from './checks.ts';
import { connectExhausted } from './exhausted.ts';
import { abandonEverything } from './leak-checks.ts';
import { relayAndForget } from './relay-checks.ts';

async function report(name: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
    console.log(JSON.stringify({ name }));
  } catch (error) {
    console.log(JSON.stringify({ name, failure: error instanceof Error ? error.stack : String(error) }));
  }
}

async function main(): Promise<void> {
  for (const { name, run } of CHECKS) await report(name, run);
  const scope = randomUUID();
  const client = nativeTransport(unixFamily(3, scope));
  const server = nativeTransport(unixFamily(16, scope));
  for (const { name, run } of transportConformance) {
    await report(name, () => run({ client, server, serverCid: 16, clientCid: 3 }));
  }
  // Nothing is left that would keep the process alive: if it does, whoever started it sees it hang.
}

if (process.argv[2] === 'exhausted') await connectExhausted();
else if (isMainThread) await main();
else if (workerData.mode === 'relay') await relayAndForget(workerData.name);
else if (workerData.mode === 'exit') await abandonEverything(workerData.fullName, () => process.exit(0));
else await abandonEverything(workerData.fullName, () => parentPort?.postMessage('ready'));
