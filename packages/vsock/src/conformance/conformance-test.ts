import type { VsockSocket } from '../socket.ts';
import type { Transport, VsockConnectOptions, VsockServer, VsockServerOptions } from '../transport.ts';

/** Two machines, or one that reaches itself. */
export interface TransportPair {
  /** The machine that connects. */
  readonly client: Transport;
  /** The machine that listens. */
  readonly server: Transport;
  /** CID by which the client reaches the server. */
  readonly serverCid: number;
  /** CID that the server sees the client have. */
  readonly clientCid: number;
}

/** One sentence of the contract. `run` rejects when it does not hold. */
export interface ConformanceTest {
  readonly name: string;
  run(pair: TransportPair): Promise<void>;
}

const DEADLINE_MS = 120_000;

/** A test that fails, instead of hanging, when what it waits for never comes. */
export function conformanceTest(name: string, body: (pair: TransportPair) => Promise<void>): ConformanceTest {
  return {
    name,
    run: async (pair) => {
      let timer: NodeJS.Timeout | undefined;
      const expired = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`expected this to end within ${DEADLINE_MS} ms: ${name}`)),
          DEADLINE_MS,
        );
      });
      try {
        await Promise.race([body(pair), expired]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

/** A server on a port of the kernel's choice, and how to reach it. */
export interface Stage extends AsyncDisposable {
  readonly server: VsockServer;
  readonly port: number;
  connect(options?: Partial<VsockConnectOptions>): Promise<VsockSocket>;
}

/** Sets up a server for one test; disposing of it ends its connections. */
export async function stage(
  { client, server: listening, serverCid }: TransportPair,
  handler: (socket: VsockSocket) => void,
  options: VsockServerOptions = {},
): Promise<Stage> {
  const server = listening.createServer(options, (socket) => {
    // What the peer does to a connection is the subject of some tests, and the end of none.
    socket.on('error', () => {});
    handler(socket);
  });
  await server.listen({ port: 0 });
  const port = server.address()?.port ?? 0;
  return {
    server,
    port,
    connect: (more) => client.connect({ cid: serverCid, port, ...more }),
    [Symbol.asyncDispose]: () => server.drain({ timeout: 0 }),
  };
}

/** All that comes until the other side ends. Unlike the stream's own iterator, leaves our side open. */
export function readAll(socket: VsockSocket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('end', () => resolve(Buffer.concat(chunks)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('expected the other side to end, found the connection closed')));
  });
}

/** Resolves when the socket is closed, with the error that closed it or `undefined`. */
export function closed(socket: VsockSocket): Promise<Error | undefined> {
  return new Promise((resolve) => {
    let failure: Error | undefined;
    socket.on('error', (error) => {
      failure = error;
    });
    socket.once('close', () => resolve(failure));
    socket.resume();
  });
}

/** Waits until `condition` holds; the test's own deadline limits it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(5);
}

/** Lets `milliseconds` pass. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
