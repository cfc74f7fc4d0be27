// The parent's side of the tests: gives the settings, makes visits, collects the report. Over any transport: the rig's
// folder of sockets, or AF_VSOCK on a real parent instance.
import { createInterface } from 'node:readline';
import type { Transport, VsockServer, VsockSocket } from '@nitro-enclaves/vsock';
import type { GuestMessage, GuestResult, GuestSettings, ParentMessage } from './guest/guest-test.ts';
import { REPORT_PORT } from './guest/guest-test.ts';
import { SCENARIOS } from './traffic/scenarios.ts';
import { FIRST_PORT, startServices } from './traffic/services.ts';

async function visit(transport: Transport, cid: number, name: string, settings: GuestSettings): Promise<ParentMessage> {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) return { visited: name, error: 'there is no such scenario' };
  const { tls, bulkMebibytes, connections } = settings;
  const load = { certificate: tls.certificate, bulkMebibytes, connections };
  try {
    const figures = await scenario.run({ transport, cid, firstPort: FIRST_PORT.ENCLAVE, ...load });
    return { visited: name, figures };
  } catch (error) {
    return { visited: name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Where an enclave says that it has booted, and the byte that it says it with. */
const HEARTBEAT = { PORT: 9000, BYTE: 0xb7 };

/** Answers the heartbeat as nitro-cli does: with the same byte. */
function answerHeartbeat(transport: Transport, onHeartbeat: () => void): Promise<VsockServer> {
  const server = transport.createServer({}, (socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => {
      if (bytes[0] === HEARTBEAT.BYTE) onHeartbeat();
      socket.end(bytes);
    });
  });
  return server.listen({ port: HEARTBEAT.PORT });
}

/** A promise, and what resolves it. */
function signal(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((resolved) => {
    resolve = resolved;
  });
  return { promise, resolve };
}

/** A parent that waits for the tests of one enclave. */
export interface ParentProgram extends AsyncDisposable {
  /** Resolves when the enclave says that it has booted. */
  readonly booted: Promise<void>;
  /** Resolves when the enclave has reported everything. */
  readonly reported: Promise<void>;
}

/** Starts the parent; `onResult` is called with every line of the report. */
export async function startParent(
  transport: Transport,
  settings: GuestSettings,
  onResult: (result: GuestResult) => void,
): Promise<ParentProgram> {
  const endServices = await startServices(transport, FIRST_PORT.PARENT, settings.tls);
  const booted = signal();
  const reported = signal();
  const heartbeat = await answerHeartbeat(transport, booted.resolve);
  const serve = (socket: VsockSocket): void => {
    const send = (message: ParentMessage): void => {
      socket.write(`${JSON.stringify(message)}\n`);
    };
    socket.on('error', () => {});
    createInterface({ input: socket })
      .on('line', (line) => {
        const message: GuestMessage = JSON.parse(line);
        if ('result' in message) onResult(message.result);
        else visit(transport, socket.remoteCid, message.visit, settings).then(send);
      })
      .once('close', reported.resolve);
    send({ settings });
  };
  const server = await transport.createServer({}, serve).listen({ port: REPORT_PORT });
  return {
    booted: booted.promise,
    reported: reported.promise,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([server, heartbeat].map((one) => one.drain({ timeout: 0 })));
      await endServices();
    },
  };
}
