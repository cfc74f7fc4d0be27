import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { KMS, type KMSClientConfig } from '@aws-sdk/client-kms';
import type { Faults } from '@nitro-enclaves/emulator';
import type { Attest, ConnectingTransport } from '../../src/index.ts';
import { kmsRequestHandler, parentCredentials, recipient } from '../../src/index.ts';
import type { FaultCase, Outcome } from './fault-case.ts';
import type { Belongings, Operation } from './operations.ts';
import { OPERATIONS, prepareBelongings } from './operations.ts';

/** An enclave, its way to the emulated KMS, and a hand on what goes wrong there. */
export interface FaultScene {
  readonly transport: ConnectingTransport;
  readonly attest: Attest;
  /** Certificate of KMS's authority, PEM. */
  readonly ca: string;
  readonly region: string;
  readonly credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  readonly keyArn: string;
  /** A P-256 key for key agreement. */
  readonly agreementKeyArn: string;
  /** Time enough for a call with its handshake where nothing goes wrong, in ms. */
  readonly patience: number;
  /** Deadline of calls that nothing else ends, in ms. */
  readonly deadline: number;
  /** Replaces what goes wrong, in the parent's transport and in KMS. */
  inject(faults: Faults): Promise<void>;
}

/** What of an error can be seen, by a developer or in a log, must hold no secret, in whatever form. */
function expectSilence(error: unknown, secrets: readonly (string | Uint8Array)[]): void {
  const seen = inspect(error, { depth: 8, maxArrayLength: 10_000, maxStringLength: 1_000_000 });
  const plain = seen.replaceAll(/\s/g, '').toLowerCase();
  for (const secret of secrets) {
    const bytes = Buffer.from(secret);
    for (const form of [bytes.toString('hex'), bytes.toString('base64').toLowerCase(), String(secret).toLowerCase()])
      assert.ok(!plain.includes(form), 'expected an error that holds no secret');
  }
}

async function errorOf(call: Promise<unknown>): Promise<(Error & { code?: unknown }) | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
}

/** Plays cases of faults with clients as applications have them. */
export class FaultStage {
  readonly #scene: FaultScene;
  readonly #plugin: ReturnType<typeof recipient>;
  readonly #client: KMS;
  readonly #belongings: Belongings;

  private constructor(parts: {
    scene: FaultScene;
    plugin: ReturnType<typeof recipient>;
    client: KMS;
    belongings: Belongings;
  }) {
    this.#scene = parts.scene;
    this.#plugin = parts.plugin;
    this.#client = parts.client;
    this.#belongings = parts.belongings;
  }

  static async open(scene: FaultScene): Promise<FaultStage> {
    const client = connect(scene);
    const plugin = recipient({ attest: scene.attest, attestTimeout: scene.patience, correctClockOf: client });
    client.middlewareStack.use(plugin);
    return new FaultStage({ scene, plugin, client, belongings: await prepareBelongings(client, scene) });
  }

  /** Plays one case with each of the operations: what comes under the fault, and that all is well when it has ended. */
  async play(faultCase: FaultCase, operations: readonly Operation[] = OPERATIONS): Promise<void> {
    const clients = operations.map(() => this.#clientFor(faultCase));
    try {
      await this.#scene.inject(faultCase.faults);
      await eachOf(operations, (operation, index) =>
        this.#suffer(clients[index] ?? this.#client, operation, faultCase),
      );
      await this.#scene.inject({});
      await eachOf(operations, (operation, index) => this.#expectGenuine(clients[index] ?? this.#client, operation));
    } finally {
      await this.#scene.inject({});
      for (const client of clients) if (client !== this.#client) client.destroy();
    }
  }

  [Symbol.dispose](): void {
    this.#client.destroy();
  }

  /** What happens to connections when they are made needs new ones; what KMS does does not. */
  #clientFor({ faults, attempts = 1, credentialsOf, waits }: FaultCase): KMS {
    if (faults.kms !== undefined && attempts === 1) return this.#client;
    const timeout = waits ? this.#scene.deadline : this.#scene.patience;
    const { transport } = this.#scene;
    const credentials = credentialsOf === 'parent' ? parentCredentials({ transport, timeout }) : undefined;
    const client = connect(this.#scene, { attempts, connectTimeout: timeout, credentials });
    client.middlewareStack.use(this.#plugin);
    return client;
  }

  async #suffer(client: KMS, operation: Operation, faultCase: FaultCase): Promise<void> {
    const { outcome, except = {}, within = 1, waits } = faultCase;
    const expected = except[operation.name] ?? outcome;
    const requestTimeout = waits ? this.#scene.deadline : this.#scene.patience;
    for (let call = 1; call < within; call += 1) {
      const error = await errorOf(this.#call(client, operation, requestTimeout));
      if (error !== undefined) return this.#expectError(error, expected);
    }
    if (expected === 'genuine') return this.#expectGenuine(client, operation);
    const error = await errorOf(operation.call(client, this.#belongings, { requestTimeout }));
    this.#expectError(error, expected);
  }

  async #call(client: KMS, operation: Operation, requestTimeout: number): Promise<void> {
    const secret = await operation.call(client, this.#belongings, { requestTimeout });
    assert.ok(secret !== undefined, 'expected a secret in the answer');
    operation.expectGenuine(secret, this.#belongings);
  }

  #expectGenuine(client: KMS, operation: Operation): Promise<void> {
    return this.#call(client, operation, this.#scene.patience);
  }

  #expectError(error: (Error & { code?: unknown }) | undefined, expected: Outcome): void {
    if (expected === 'chosen by the attacker' || expected === 'genuine') {
      assert.ifError(error);
      return;
    }
    assert.ok(error !== undefined, 'expected the call to fail');
    const { name, code, says } = expected;
    assert.match(error.message, says);
    if (name !== undefined) assert.equal(error.name, name);
    if (code !== undefined) assert.equal(error.code, code);
    const { credentials } = this.#scene;
    const { opened, sharedSecret } = this.#belongings;
    expectSilence(error, [credentials.secretAccessKey, opened, sharedSecret]);
  }
}

/** All at once; tells of which one something else came. */
async function eachOf(
  operations: readonly Operation[],
  body: (operation: Operation, index: number) => Promise<void>,
): Promise<void> {
  const failed = (operation: Operation) => (cause: unknown) => {
    throw new Error(`${operation.name}: ${inspect(cause)}`, { cause });
  };
  await Promise.all(operations.map((operation, index) => body(operation, index).catch(failed(operation))));
}

interface ConnectionOptions {
  readonly attempts?: number;
  readonly connectTimeout?: number;
  readonly credentials?: KMSClientConfig['credentials'] | undefined;
}

function connect(
  { transport, ca, region, credentials: own, patience }: FaultScene,
  { attempts = 1, connectTimeout = patience, credentials = own }: ConnectionOptions = {},
): KMS {
  const requestHandler = kmsRequestHandler({ transport, ca, connectTimeout, requestTimeout: patience });
  return new KMS({ region, credentials, maxAttempts: attempts, requestHandler });
}
