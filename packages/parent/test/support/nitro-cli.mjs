#!/usr/bin/env node
// Stands where nitro-cli would: takes its arguments, keeps its "enclaves" in the folder that FAKE_NITRO_CLI names, prints its
// JSON and its errors in their form. What it does next is in `behaviour.json` of that folder.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.env.FAKE_NITRO_CLI;
const [command, ...rest] = process.argv.slice(2);
const read = (name, absent) =>
  existsSync(join(folder, name)) ? JSON.parse(readFileSync(join(folder, name), 'utf8')) : absent;
const write = (name, value) => writeFileSync(join(folder, name), JSON.stringify(value));
const print = (value) => process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
const option = (name) => (rest.includes(name) ? rest[rest.indexOf(name) + 1] : undefined);
const fail = (code, text) => {
  process.stderr.write(`[ ${code} ] ${text}\n\nFor more details, please visit the documentation.\n`);
  process.exit(Number(code.slice(1)));
};

const behaviour = read('behaviour.json', {});
write('calls.json', [...read('calls.json', []), { command, rest, at: Date.now() }]);
if (behaviour.fail?.[command]) fail(behaviour.fail[command], 'as told by the test');
if (behaviour.print !== undefined) {
  process.stdout.write(behaviour.print);
  process.exit(0);
}
if (behaviour.hang) setInterval(() => undefined, 1000);
else await run();

async function run() {
  const enclaves = read('enclaves.json', []);
  if (command === 'build-enclave')
    print({ Measurements: { HashAlgorithm: 'Sha384 { ... }', PCR0: '0a', PCR1: '0b', PCR2: '0c' } });
  else if (command === 'run-enclave') await start(enclaves);
  else if (command === 'describe-enclaves') print(enclaves);
  else if (command === 'terminate-enclave') end(enclaves);
  else if (command === 'console') talk(enclaves);
  else fail('E14', 'no such command');
}

async function start(enclaves) {
  process.stderr.write('Start allocating memory...\n');
  write('starting.json', true);
  await new Promise((resolve) => setTimeout(resolve, behaviour.startDelay ?? 0));
  const count = read('count.json', 0) + 1;
  write('count.json', count);
  const enclave = {
    EnclaveName: option('--enclave-name') ?? 'image',
    EnclaveID: `i-0-enc${count}`,
    ProcessID: process.pid,
    EnclaveCID: Number(option('--enclave-cid') ?? 15 + count),
    NumberOfCPUs: Number(option('--cpu-count')),
    CPUIDs: [1, 3],
    MemoryMiB: Number(option('--memory')),
  };
  const Flags = rest.includes('--debug-mode') ? 'DEBUG_MODE' : 'NONE';
  write('enclaves.json', [...enclaves, { ...enclave, State: 'RUNNING', Flags }]);
  print(enclave);
}

function end(enclaves) {
  const id = option('--enclave-id');
  if (!enclaves.some((enclave) => enclave.EnclaveID === id)) fail('E39', 'Enclave process connection failure');
  write(
    'enclaves.json',
    enclaves.filter((enclave) => enclave.EnclaveID !== id),
  );
  print({ EnclaveID: id, Terminated: true });
}

function talk(enclaves) {
  const enclave = enclaves.find(({ EnclaveID }) => EnclaveID === option('--enclave-id'));
  if (enclave?.Flags !== 'DEBUG_MODE') fail('E44', 'Enclave console connection failure');
  process.stdout.write('[    0.000000] Linux version 6.6\nhello from the enclave\n');
}
