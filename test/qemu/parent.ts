// The parent's side of the tests: gives the settings, makes visits, collects the report. Over any transport: the rig's
// folder of sockets, or AF_VSOCK on a real parent instance.
import { createInterface } from 'node:readline';
import type { Faults } from '@nitro-enclaves/emulator';
import type { Transport, VsockServer, VsockSocket } from '@nitro-enclaves/vsock';
import type { GuestMessage, GuestResult, GuestSettings, ParentMessage } from './guest/guest-test.ts';
import { REPORT_PORT } from './guest/guest-test.ts';
import { SCENARIOS } from './traffic/scenarios.ts';
import { FIRST_PORT, startServices } from './traffic/services.ts';

async function visit(transport: Transport, cid: number, name: string, settings: GuestSettings): Promise<ParentMessage> {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) return { visited: name, error: 'there is no such scenario' };
  const visited = { transport, cid, firstPort: FIRST_PORT.ENCLAVE, certificate: settings.tls.certificate };
  try {
    const figures = await scenario.run({ ...visited, ...settings.load.inward });
    return { visited: name, figures };
  } catch (error) {
    return { visited: name, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/** Where an enclave says that it has booted, and the byte that it says it with. */
const HEARTBEAT = { PORT: 9000, BYTE: 0xb7 };

/** Answers the heartbeat as nitro-cli does: with the same byte. */
export function answerHeartbeat(transport: Transport, onHeartbeat: () => void): Promise<VsockServer> {
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

/** What a parent program needs. */
export interface ParentOptions {
  transport: Transport;
  settings: GuestSettings;
  /** Whether nobody else answers the enclave's heartbeat. */
  answersHeartbeat: boolean;
  /** Replaces what goes wrong in the emulated KMS; absent where there is none. */
  inject?: (faults: Faults) => void;
  /** Called with every line of the report. */
  onResult: (result: GuestResult) => void;
}

/** Answers one enclave's tests: settings, then visits and faults as they are asked for, while the report comes in. */
function serveTests(
  { transport, settings, inject, onResult }: ParentOptions,
  ended: () => void,
): (socket: VsockSocket) => void {
  return (socket) => {
    const send = (message: ParentMessage): void => {
      socket.write(`${JSON.stringify(message)}\n`);
    };
    socket.on('error', () => {});
    createInterface({ input: socket })
      .on('line', (line) => {
        const message: GuestMessage = JSON.parse(line);
        if ('result' in message) {
          onResult(message.result);
        } else if ('inject' in message) {
          inject?.(message.inject);
          send({ injected: true });
        } else visit(transport, socket.remoteCid, message.visit, settings).then(send);
      })
      .once('close', ended);
    send({ settings });
  };
}

/** Starts the parent's services and waits for an enclave. */
export async function startParent(options: ParentOptions): Promise<ParentProgram> {
  const { transport, settings, answersHeartbeat } = options;
  const [booted, reported] = [signal(), signal()];
  const endServices = await startServices(transport, FIRST_PORT.PARENT, settings.tls);
  const servers = [
    await transport.createServer({}, serveTests(options, reported.resolve)).listen({ port: REPORT_PORT }),
  ];
  if (answersHeartbeat) servers.push(await answerHeartbeat(transport, booted.resolve));
  return {
    booted: booted.promise,
    reported: reported.promise,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map((server) => server.drain({ timeout: 0 })));
      await endServices();
    },
  };
}
