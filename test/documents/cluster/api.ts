// The API of Kubernetes over HTTP, as kubectl uses it: discovery, objects as JSON, merge patches, tables for people.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import type { IPod } from 'kubernetes-models/v1/Pod';
import { lastingContainers } from './controllers.ts';
import { parseSelector } from './selector.ts';
import type { ClusterObject, Resource, Store } from './store.ts';
import { apiVersionOf, PODS, RESOURCES, StatusError } from './store.ts';

const OPENAPI_V2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const JSON_TYPE = 'application/json';
const MERGE_PATCH = 'application/merge-patch+json';
const VERSION = { major: '1', minor: '29', gitVersion: 'v1.29.0' };
const PATH =
  /^\/(?:api|apis\/(?<group>[^/]+))\/v1(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<plural>[a-z]+)(?:\/(?<name>[^/]+))?$/;

const groupVersion = (group: string) => ({ groupVersion: `${group}/v1`, version: 'v1' });

function resourceList(group: string): object {
  const resources = RESOURCES.filter((resource) => resource.group === group).map(
    ({ group: _, ...resource }) => resource,
  );
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf({ group }), resources };
}

function groupList(): object {
  const names = new Set(RESOURCES.map(({ group }) => group).filter(Boolean));
  const groups = [...names].map((name) => {
    return { name, versions: [groupVersion(name)], preferredVersion: groupVersion(name) };
  });
  return { kind: 'APIGroupList', apiVersion: 'v1', groups };
}

/** What there is to discover, by path. */
const DISCOVERY: Readonly<Record<string, () => object>> = {
  '/version': () => VERSION,
  '/api': () => ({ kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }),
  '/apis': groupList,
  '/api/v1': () => resourceList(''),
  '/apis/apps/v1': () => resourceList('apps'),
};

/** RFC 7386. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const merged: Record<string, unknown> = typeof target === 'object' && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

function ageOf({ metadata }: ClusterObject): string {
  return `${Math.floor((Date.now() - Date.parse(metadata.creationTimestamp ?? '')) / 1000)}s`;
}

/** Cells of a pod: its name, the containers that are ready, what it waits for, restarts. */
function podCells(pod: IPod): string[] {
  const { metadata, status } = pod;
  const states = status?.containerStatuses ?? [];
  const count = lastingContainers(pod).length;
  const ready = status?.phase === 'Running' ? count : states.filter((state) => state.ready).length;
  const [reason] = states.flatMap(({ state }) => state?.waiting?.reason ?? []);
  return [metadata?.name ?? '', `${ready}/${count}`, reason ?? status?.phase ?? '', '0'];
}

/** The form of a list that kubectl prints. */
function table(resource: Resource, objects: readonly ClusterObject[]): object {
  const names = resource === PODS ? ['Name', 'Ready', 'Status', 'Restarts', 'Age'] : ['Name', 'Age'];
  const cells = (object: ClusterObject) => (resource === PODS ? podCells(object as IPod) : [object.metadata.name]);
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: {},
    columnDefinitions: names.map((name) => ({ name, type: 'string', format: '', description: '', priority: 0 })),
    rows: objects.map((object) => ({
      cells: [...cells(object), ageOf(object)],
      object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata },
    })),
  };
}

/** What a request is about. */
interface Target {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

function targetOf(path: string): Target {
  const { group = '', namespace, plural, name } = PATH.exec(path)?.groups ?? {};
  const resource = RESOURCES.find((each) => each.group === group && each.name === plural);
  const isPlaced = resource !== undefined && (resource.namespaced || namespace === undefined);
  if (!isPlaced) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
  return { resource, namespace, name };
}

function verbOf(method: string | undefined, { name }: Target): string {
  if (method === 'GET') return name === undefined ? 'list' : 'get';
  if (method === 'POST' && name === undefined) return 'create';
  return method === 'PATCH' && name !== undefined ? 'patch' : 'none';
}

/** The body, which is JSON when nothing is said of it. */
async function bodyOf(request: IncomingMessage, type: string): Promise<unknown> {
  const [found] = (request.headers['content-type'] ?? JSON_TYPE).split(';');
  if (found !== type) throw new StatusError(415, 'UnsupportedMediaType', `expected ${type}, found ${found}`);
  return await json(request).catch((cause) => {
    throw new StatusError(400, 'BadRequest', `expected JSON: ${cause}`);
  });
}

/** Answers requests out of a store; before each, `settle` brings it up to date. */
export class Api {
  readonly #store: Store;
  readonly #settle: () => Promise<void>;
  #last: Promise<void> = Promise.resolve();

  constructor(store: Store, settle: () => Promise<void>) {
    this.#store = store;
    this.#settle = settle;
  }

  /** One request after the other. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#last = this.#last.then(() => this.#respond(request, response));
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://cluster');
    // Nothing is described: whoever would validate by it leaves that to the server, which does.
    if (url.pathname === '/openapi/v2') {
      response.setHeader('content-type', OPENAPI_V2).end();
      return;
    }
    const { code, body } = await this.#answer(request, url).catch((error) => {
      const known = error instanceof StatusError ? error : new StatusError(500, 'InternalError', String(error?.stack));
      const { code, reason, message, details } = known;
      return {
        code,
        body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', metadata: {}, message, reason, details, code },
      };
    });
    response.writeHead(code, { 'content-type': JSON_TYPE }).end(JSON.stringify(body));
  }

  async #answer(request: IncomingMessage, url: URL): Promise<{ code: number; body: object }> {
    const discovered = DISCOVERY[url.pathname];
    if (discovered !== undefined) return { code: 200, body: discovered() };
    const target = targetOf(url.pathname);
    const verb = verbOf(request.method, target);
    if (!target.resource.verbs.includes(verb))
      throw new StatusError(405, 'MethodNotAllowed', `${target.resource.name}: expected ${target.resource.verbs}`);
    await this.#settle();
    if (verb === 'list') return { code: 200, body: this.#list(request, url, target) };
    const { resource, namespace = '', name = '' } = target;
    if (verb === 'create')
      return { code: 201, body: this.#store.create(resource, namespace, await bodyOf(request, JSON_TYPE)) };
    const found = this.#store.get(resource, namespace, name);
    if (verb === 'get') return { code: 200, body: found };
    const patched = mergePatch(found, await bodyOf(request, MERGE_PATCH));
    return { code: 200, body: this.#store.replace(resource, namespace, name, patched) };
  }

  #list(request: IncomingMessage, url: URL, { resource, namespace }: Target): object {
    const isSelected = parseSelector(url.searchParams.get('labelSelector') ?? '');
    const items = this.#store.list(resource, namespace).filter(({ metadata }) => isSelected(metadata.labels));
    if (request.headers.accept?.includes('as=Table')) return table(resource, items);
    return { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata: {}, items };
  }
}
