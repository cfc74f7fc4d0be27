import { once } from 'node:events';
import { createServer } from 'node:http';
import { superviseEnclave } from '@nitro-enclaves/parent';

/** Resolves if the enclave takes a connection on `port`; what the supervisor calls readiness. */
function answering(transport, port) {
  return async ({ EnclaveCID }, signal) => {
    (await transport.connect({ cid: EnclaveCID, port, signal, timeout: 1000 })).destroy();
  };
}

/**
 * Keeps one enclave running until `signal` is aborted, and answers `GET /ready` for the kubelet. Gives whether it was
 * told to stop; else the enclave is not to be started again, and the pod should end.
 */
export async function launch({ launcher, transport, env, signal, log }) {
  const { EIF_PATH, MEMORY_MIB, CPU_COUNT, ENCLAVE_CID, READY_PORT, HEALTH_PORT } = env;
  const supervisor = superviseEnclave({
    launcher,
    enclave: {
      eifPath: EIF_PATH,
      memoryMiB: Number(MEMORY_MIB),
      cpuCount: Number(CPU_COUNT),
      enclaveCid: Number(ENCLAVE_CID),
    },
    ready: answering(transport, Number(READY_PORT)),
  });
  supervisor.on('started', ({ EnclaveID, EnclaveCID }) => log({ event: 'started', EnclaveID, EnclaveCID }));
  supervisor.on('ready', ({ EnclaveID }) => log({ event: 'ready', EnclaveID }));
  supervisor.on('exited', ({ EnclaveID }, status) => log({ event: 'exited', EnclaveID, status }));
  supervisor.on('failed', ({ message }) => log({ event: 'failed', message }));
  const health = createServer(({ url }, response) => {
    const status = supervisor.isReady ? 200 : 503;
    response.writeHead(url === '/ready' ? status : 404).end();
  });
  await once(health.listen(Number(HEALTH_PORT)), 'listening');
  log({ event: 'health', port: health.address().port });
  if (signal.aborted) await supervisor.stop();
  signal.addEventListener('abort', () => supervisor.stop(), { once: true });
  await supervisor.done;
  health.close();
  return signal.aborted;
}
