// The objects of a cluster, and what its API says when one is not there, is there already, or is none.
import { randomUUID } from 'node:crypto';
import type { Manifest, SchemaError } from '../../../examples/kubernetes/test/schema.ts';
import { schemaErrors, unknownFields } from '../../../examples/kubernetes/test/schema.ts';

/** What every object of the API has. */
export interface ClusterObject extends Manifest {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly creationTimestamp?: string;
  };
}

/** A collection of the API. */
export interface Resource {
  readonly group: string;
  readonly name: string;
  readonly singularName: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** What clients may do. */
  readonly verbs: readonly string[];
}

const resource = (group: string, kind: string, others: Partial<Resource> = {}): Resource => ({
  group,
  kind,
  name: `${kind.toLowerCase()}s`,
  singularName: kind.toLowerCase(),
  namespaced: true,
  verbs: ['create', 'get', 'list', 'patch'],
  ...others,
});

export const NODES: Resource = resource('', 'Node', { namespaced: false, verbs: ['get', 'list', 'patch'] });
export const PODS: Resource = resource('', 'Pod', { verbs: ['get', 'list'] });
export const CONFIG_MAPS: Resource = resource('', 'ConfigMap');
export const SECRETS: Resource = resource('', 'Secret');
export const SERVICE_ACCOUNTS: Resource = resource('', 'ServiceAccount');
export const DAEMON_SETS: Resource = resource('apps', 'DaemonSet');
export const DEPLOYMENTS: Resource = resource('apps', 'Deployment');

/** Every collection there is; all have the version v1 of their group. */
export const RESOURCES: readonly Resource[] = [
  ...[NODES, PODS, CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS, resource('', 'Service'), DAEMON_SETS, DEPLOYMENTS],
];

/** How objects name the version of their collection. */
export const apiVersionOf = ({ group }: Pick<Resource, 'group'>): string => (group === '' ? 'v1' : `${group}/v1`);

/** The namespaces of a new cluster; others are not made. */
const NAMESPACES: readonly string[] = ['default', 'kube-system'];

/** An answer of the API that is not the one hoped for. */
export class StatusError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: object;

  constructor(code: number, reason: string, message: string, details: object = {}) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }
}

/** What the schema does not take of an object. */
function invalid({ kind, group }: Resource, name: string, errors: readonly SchemaError[]): StatusError {
  const causes = errors.map(({ instancePath, message }) => {
    const field = instancePath
      .slice(1)
      .replaceAll('/', '.')
      .replaceAll(/\.(\d+)/g, '[$1]');
    return { reason: 'FieldValueInvalid', field, message };
  });
  const what = causes.map(({ field, message }) => `${field}: ${message}`).join(', ');
  return new StatusError(422, 'Invalid', `${kind} "${name}" is invalid: ${what}`, { name, group, kind, causes });
}

const titleOf = ({ group, name }: Resource): string => (group === '' ? name : `${name}.${group}`);

/** Leaves out what is null, as the API does. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutNulls(member)]));
}

/** Objects by what they are, their namespace and their name. */
export class Store {
  readonly #objects = new Map<string, ClusterObject>();
  #version = 0;

  #key({ group, name: plural }: Resource, namespace: string, name: string): string {
    return [group, plural, namespace, name].join('/');
  }

  /** Holds an object to the schema of its kind, and to its fields: the strict validation of the API. */
  #judge(of: Resource, namespace: string, value: unknown): ClusterObject {
    const object = withoutNulls(value) as ClusterObject;
    const apiVersion = apiVersionOf(of);
    if (object.kind !== of.kind || object.apiVersion !== apiVersion)
      throw new StatusError(400, 'BadRequest', `expected ${of.kind} of ${apiVersion}`);
    const unknown = unknownFields(object).map((field) => `unknown field "${field}"`);
    if (unknown.length > 0) throw new StatusError(400, 'BadRequest', `strict decoding error: ${unknown.join(', ')}`);
    const name = object.metadata?.name ?? '';
    const errors = schemaErrors(object);
    if (name === '') errors.push({ instancePath: '/metadata/name', message: 'Required value' });
    if (errors.length > 0) throw invalid(of, name, errors);
    if (of.namespaced && (object.metadata.namespace ?? namespace) !== namespace)
      throw new StatusError(
        400,
        'BadRequest',
        'the namespace of the object does not match the namespace on the request',
      );
    return object;
  }

  #put(of: Resource, namespace: string, object: ClusterObject, fixed: object): ClusterObject {
    this.#version += 1;
    const place = of.namespaced ? { namespace } : {};
    const metadata = { ...object.metadata, ...place, ...fixed, resourceVersion: String(this.#version) };
    const stored = { ...object, metadata };
    this.#objects.set(this.#key(of, namespace, metadata.name), stored);
    return stored;
  }

  create(of: Resource, namespace: string, value: unknown): ClusterObject {
    if (of.namespaced && !NAMESPACES.includes(namespace))
      throw new StatusError(404, 'NotFound', `namespaces "${namespace}" not found`);
    const object = this.#judge(of, namespace, value);
    const { name } = object.metadata;
    if (this.#objects.has(this.#key(of, namespace, name)))
      throw new StatusError(409, 'AlreadyExists', `${titleOf(of)} "${name}" already exists`);
    const creationTimestamp = `${new Date().toISOString().slice(0, -5)}Z`;
    return this.#put(of, namespace, object, { uid: randomUUID(), creationTimestamp });
  }

  get(of: Resource, namespace: string, name: string): ClusterObject {
    const found = this.#objects.get(this.#key(of, namespace, name));
    if (found === undefined) throw new StatusError(404, 'NotFound', `${titleOf(of)} "${name}" not found`);
    return found;
  }

  /** Puts another object in the place of one, whose name and identity stay. */
  replace(of: Resource, namespace: string, name: string, value: unknown): ClusterObject {
    const { metadata } = this.get(of, namespace, name);
    const object = this.#judge(of, namespace, value);
    const { uid, creationTimestamp } = metadata as unknown as Record<string, string>;
    return this.#put(of, namespace, object, { name, uid, creationTimestamp });
  }

  remove(of: Resource, namespace: string, name: string): void {
    this.#objects.delete(this.#key(of, namespace, name));
  }

  /** The objects of a collection, of all namespaces unless one is given. */
  list(of: Resource, namespace?: string): ClusterObject[] {
    const prefix = this.#key(of, namespace ?? '', '').slice(0, namespace === undefined ? -1 : undefined);
    return [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => object);
  }
}
