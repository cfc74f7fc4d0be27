import { once } from 'node:events';
import type { Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { isIPv6 } from 'node:net';
import type { KmsFault } from '../faults.ts';
import { FaultSchedule } from '../faults.ts';
import { Seed } from '../seed.ts';
import type { KmsPlace } from './arn.ts';
import { dnsSuffixOf, partitionOf } from './arn.ts';
import type { EmulatedCredentials } from './caller.ts';
import { CredentialBook, createCredentials } from './caller.ts';
import { EmulatedKmsError } from './error.ts';
import type { InitialKey } from './initial-keys.ts';
import { ensureInitialKeys } from './initial-keys.ts';
import { KeyRing } from './key-ring.ts';
import type { AttestationRule } from './recipient/document.ts';
import { createRecipientGate, unsignedDocumentsAllowed } from './recipient/document.ts';
import type { EnvelopeForm } from './recipient/envelope.ts';
import { createFront } from './server.ts';
import { KmsService } from './service.ts';
import { openSqliteStore } from './store/sqlite-store.ts';
import type { AuthorityRecord, KmsStore } from './store/store.ts';
import { MEMORY_STORE } from './store/store.ts';
import { authorityPem, createAuthority, createServerIdentity } from './tls-identity.ts';

/** Options of {@link startEmulatedKms}. */
export interface EmulatedKmsOptions {
  /** By which roots the documents of recipients are judged. */
  readonly attestation: AttestationRule;
  /** TCP port. Default: any free one. */
  readonly port?: number;
  /** Address to listen on. Default `127.0.0.1`: nobody but this machine. */
  readonly host?: string;
  /** Further names and addresses in the server's certificate, beside `localhost` and those of KMS in the region. */
  readonly hostNames?: readonly string[];
  /** Default `us-east-1`. */
  readonly region?: string;
  /** 12 digits. Default `111122223333`. */
  readonly accountId?: string;
  /** Keys that are there from the start. Those that a store has already stay as they are. */
  readonly keys?: readonly InitialKey[];
  /** Credentials that requests may be signed with. Default: fresh ones of the user `developer`. */
  readonly credentials?: readonly EmulatedCredentials[];
  /** An SQLite file that keeps the keys. Default: memory. */
  readonly store?: { readonly file: string };
  /** What goes wrong from the start, or the schedule that somebody else holds. */
  readonly faults?: readonly KmsFault[] | FaultSchedule<KmsFault>;
  /** Determines which faults happen where chance decides. Default: random. */
  readonly seed?: string | Uint8Array;
  /** The form of CiphertextForRecipient. */
  readonly envelope?: EnvelopeForm;
  /** The clock of signatures, keys and records, in ms since the epoch. Default: this machine's. */
  readonly clock?: () => number;
  /** Receives one line of JSON for each request. Default: nobody. */
  readonly audit?: (line: string) => void;
  /** Stops the KMS when it aborts. */
  readonly signal?: AbortSignal;
}

/** An emulated KMS that runs. */
export interface EmulatedKms extends AsyncDisposable {
  /** Such as `https://localhost:34567`. */
  readonly endpoint: string;
  readonly host: string;
  readonly port: number;
  /** Certificate of its authority, PEM: what clients have to trust. */
  readonly ca: string;
  readonly region: string;
  readonly accountId: string;
  /** The first of its credentials, in the form that AWS's SDKs take. */
  readonly credentials: EmulatedCredentials;
  /** What goes wrong; may be changed at any time. */
  readonly faults: FaultSchedule<KmsFault>;
  /** Accepts requests with these credentials from now on. */
  addCredentials(credentials: EmulatedCredentials): void;
  /** Refuses requests with this access key from now on. */
  removeCredentials(accessKeyId: string): void;
  /** Cuts all connections and stops. */
  close(): Promise<void>;
}

const DEFAULT_REGION = 'us-east-1';
const DEFAULT_ACCOUNT = '111122223333';

function placeOf({ region = DEFAULT_REGION, accountId = DEFAULT_ACCOUNT }: EmulatedKmsOptions): KmsPlace {
  if (!/^[a-z]{2,}(?:-[a-z]+)+-\d+$/.test(region))
    throw new EmulatedKmsError('KMS_OPTION', 'expected region to be such as us-east-1');
  if (!/^\d{12}$/.test(accountId)) throw new EmulatedKmsError('KMS_OPTION', 'expected accountId to be 12 digits');
  return { region, accountId };
}

/** A client inside of an enclave asks for KMS by the name that it has in AWS, wherever the connection ends. */
function hostNamesOf({ region }: KmsPlace, { host = '127.0.0.1', hostNames = [] }: EmulatedKmsOptions): string[] {
  const suffix = dnsSuffixOf(region);
  const names = [
    `kms.${region}.${suffix}`,
    `kms-fips.${region}.${suffix}`,
    'localhost',
    '127.0.0.1',
    '::1',
    host,
    ...hostNames,
  ];
  return [...new Set(names)];
}

function ensureAuthority(store: KmsStore): AuthorityRecord | Promise<AuthorityRecord> {
  const { authority } = store.load();
  if (authority !== null) return authority;
  return createAuthority().then((created) => {
    store.saveAuthority(created);
    return created;
  });
}

/** Ciphertexts are bound to the ARN of their key: in another place, none of them would open any more. */
function settle(store: KmsStore, { region, accountId }: KmsPlace): void {
  const { place } = store.load();
  if (place === null) store.savePlace({ region, accountId });
  else if (place.region !== region || place.accountId !== accountId) {
    throw new EmulatedKmsError(
      'KMS_STORE_UNUSABLE',
      `expected the store to be of ${region} and ${accountId}, found one of ${place.region} and ${place.accountId}`,
    );
  }
}

function scheduleOf({ faults = [], seed }: EmulatedKmsOptions): FaultSchedule<KmsFault> {
  if (faults instanceof FaultSchedule) return faults;
  return new FaultSchedule(Seed.from(seed).child('kms faults'), faults);
}

function createBook(
  place: KmsPlace,
  { credentials }: EmulatedKmsOptions,
): { book: CredentialBook; first: EmulatedCredentials } {
  const made = createCredentials(place.accountId, partitionOf(place.region));
  const [first = made, ...others] = credentials ?? [made];
  const book = new CredentialBook(made.principalArn ?? '');
  for (const one of [first, ...others]) book.add(one);
  return { book, first };
}

function warn(warning: string): void {
  process.emitWarning(warning, { code: 'EMULATED_KMS' });
}

/** Warns once of each thing. */
function warnOnce(): (warning: string) => void {
  const warned = new Set<string>();
  return (warning) => {
    if (warned.has(warning)) return;
    warned.add(warning);
    warn(warning);
  };
}

const LOCAL_ADDRESSES: ReadonlySet<string> = new Set(['127.0.0.1', '::1', '0.0.0.0', '::']);

function endpointHost(address: string): string {
  if (LOCAL_ADDRESSES.has(address)) return 'localhost';
  return isIPv6(address) ? `[${address}]` : address;
}

async function listen(server: Server, { port = 0, host = '127.0.0.1' }: EmulatedKmsOptions): Promise<AddressInfo> {
  server.listen({ port, host });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('expected a TCP address');
  return address;
}

/** A server that listens, and its connections. */
interface Running {
  readonly server: Server;
  readonly sockets: ReadonlySet<Socket>;
}

async function start(
  options: EmulatedKmsOptions,
  store: KmsStore,
): Promise<{ running: Running; kms: Omit<EmulatedKms, 'close' | typeof Symbol.asyncDispose> }> {
  const place = placeOf(options);
  const { clock = Date.now, attestation, audit } = options;
  const gate = createRecipientGate(attestation, clock);
  settle(store, place);
  const keys = new KeyRing(place, store, clock);
  const { book, first } = createBook(place, options);
  await ensureInitialKeys(keys, options.keys ?? [], clock());
  const authority = await ensureAuthority(store);
  const unsignedDocuments = unsignedDocumentsAllowed in attestation;
  if (unsignedDocuments)
    warn('The emulated KMS accepts unsigned attestation documents: anybody can claim any measurement.');
  const parts = {
    place,
    keys,
    credentials: book,
    gate,
    clock,
    envelope: options.envelope ?? {},
    unsignedDocuments,
    audit,
  };
  const faults = scheduleOf(options);
  const tls = await createServerIdentity(authority, hostNamesOf(place, options));
  const tell = warnOnce();
  const server = createFront({ service: new KmsService({ ...parts, warn: tell }), faults, tls, clock, warn: tell });
  const sockets = connectionsOf(server);
  const { port, address } = await listen(server, options);
  const kms = {
    endpoint: `https://${endpointHost(address)}:${port}`,
    host: address,
    port,
    ca: authorityPem(authority),
    ...place,
    credentials: first,
    faults,
    addCredentials: (credentials: EmulatedCredentials) => book.add(credentials),
    removeCredentials: (accessKeyId: string) => book.remove(accessKeyId),
  };
  return { running: { server, sockets }, kms };
}

/** Every TCP connection: the server itself knows only those whose TLS handshake is over, and would wait for the others. */
function connectionsOf(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

async function stop({ server, sockets }: Running, store: KmsStore): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  for (const socket of sockets) socket.destroy();
  await closed;
  store.close();
}

/**
 * Starts a KMS that speaks AWS's protocol (JSON 1.1 over HTTPS, Signature Version 4), so that the unmodified AWS SDKs work
 * against it. It verifies attestation documents and evaluates key policies. Its keys are worth nothing: never put real
 * secrets under them.
 * @throws {EmulatedKmsError} when an option is wrong or the store cannot be used
 * @throws {KeyPolicyError} when a policy in the options is none
 */
export async function startEmulatedKms(options: EmulatedKmsOptions): Promise<EmulatedKms> {
  const { signal } = options;
  signal?.throwIfAborted();
  const store = options.store === undefined ? MEMORY_STORE : await openSqliteStore(options.store.file);
  const { running, kms } = await start(options, store).catch((error: unknown) => {
    store.close();
    throw error;
  });
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= stop(running, store).finally(() => signal?.removeEventListener('abort', close));
    return closing;
  };
  signal?.addEventListener('abort', close, { once: true });
  return { ...kms, close, [Symbol.asyncDispose]: close };
}
