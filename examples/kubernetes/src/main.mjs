// What the container `enclave` of application.yaml runs.
import { NitroCli } from '@nitro-enclaves/parent';
import { vsockTransport } from '@nitro-enclaves/vsock';
import { launch } from './launch.mjs';

const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
const wasToldTo = await launch({
  launcher: new NitroCli(),
  transport: vsockTransport(),
  env: process.env,
  signal: stop.signal,
  log: (entry) => console.log(JSON.stringify({ time: new Date().toISOString(), ...entry })),
});
process.exitCode = wasToldTo ? 0 : 1;
