import type { Enclave } from '@nitro-enclaves/emulator/enclave';

/** vsock port of the enclave on which it says hello. */
export const GREETING_PORT = 5000;

/** Who says hello, and what was measured: its identity to everybody who cannot see the console. */
export async function greetingOf({ nsm, transport }: Enclave): Promise<string> {
  const { moduleId } = await nsm.describeNsm();
  const { value } = await nsm.describePcr(0);
  return `hello from ${moduleId}, CID ${transport.localCid}\nPCR0 ${Buffer.from(value).toString('hex')}\n`;
}

/** Says hello to whoever connects, until the process ends. */
export async function serveGreeting({ transport }: Enclave, greeting: string): Promise<void> {
  const server = transport.createServer({ maxConnections: 8 }, (socket) => {
    socket.on('error', () => undefined);
    socket.end(greeting);
  });
  await server.listen({ port: GREETING_PORT });
}
