// What Kubernetes makes of the objects, as far as it can be told from them: pods of each controller, the nodes that have room for
// them, what the device plugin offers, and what stands in the way of a pod's containers. No container is started.
import type { IDaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { INode } from 'kubernetes-models/v1/Node';
import type { IPod } from 'kubernetes-models/v1/Pod';
import type { IPodTemplateSpec } from 'kubernetes-models/v1/PodTemplateSpec';
import { amountOf, mebibytes } from './quantity.ts';
import { hasLabels } from './selector.ts';
import type { Resource, Store } from './store.ts';
import { CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS, NODES, PODS, SECRETS, SERVICE_ACCOUNTS } from './store.ts';

/** What surrounds the cluster. */
export interface Surroundings {
  /** What the allocator's service of the nodes with enclaves was told to set aside. */
  allocation(): { readonly memory_mib: number; readonly cpu_count: number } | undefined;
  /** The digest of an image in its registry; `undefined` when it is not there. */
  digestOf(image: string): Promise<string | undefined>;
}

/** The label of a managed node group. */
const NODE_GROUP = 'eks.amazonaws.com/nodegroup';
/** The group whose launch template sets memory and CPUs aside. */
export const ENCLAVES = 'enclaves';
/** An m5.xlarge. */
const MACHINE = { vCpus: 4, memoryMib: 16 * 1024 };

const DEVICE_PLUGIN = 'public.ecr.aws/aws-nitro-enclaves/aws-nitro-enclaves-k8s-device-plugin';
/** Where the plugin finds the kubelet, and the device that it looks for. */
const PATHS_OF_THE_PLUGIN = ['/var/lib/kubelet/device-plugins', '/dev'];

type Amounts = Record<string, string | number>;

const environmentOf = ({ env = [] }: IContainer): Map<string, string | undefined> =>
  new Map(env.map(({ name, value }) => [name, value]));

/** Containers that run as long as the pod: a sidecar is one that is begun with and started again. */
export function lastingContainers({ spec }: IPod): IContainer[] {
  const sidecars = spec?.initContainers?.filter(({ restartPolicy }) => restartPolicy === 'Always') ?? [];
  return [...sidecars, ...(spec?.containers ?? [])];
}

/** What AWS's device plugin offers to the kubelet, when it is that and finds what it needs in its mounts. */
function offersOf(pod: IPod, cpuCount: number): Amounts {
  const container = lastingContainers(pod).find(({ image }) => image?.startsWith(`${DEVICE_PLUGIN}:`));
  const mounts = new Map(container?.volumeMounts?.map(({ mountPath, name }) => [mountPath, name]));
  const hostPath = (path: string) => pod.spec?.volumes?.find(({ name }) => name === mounts.get(path))?.hostPath?.path;
  if (container === undefined || PATHS_OF_THE_PLUGIN.some((path) => hostPath(path) !== path)) return {};
  const environment = environmentOf(container);
  return {
    'aws.ec2.nitro/nitro_enclaves': environment.get('MAX_ENCLAVES_PER_NODE') ?? '4',
    ...(environment.get('ENCLAVE_CPU_ADVERTISEMENT') === 'true' && {
      'aws.ec2.nitro/nitro_enclaves_cpus': String(cpuCount),
    }),
  };
}

/** What a pod asks for of a resource, in all its containers. */
function requestOf(pod: IPod, resource: string): number {
  const amounts = lastingContainers(pod).map(({ resources }) => {
    return resources?.requests?.[resource] ?? resources?.limits?.[resource] ?? 0;
  });
  return amounts.reduce<number>((sum, amount) => sum + amountOf(amount), 0);
}

function resourcesOf(pod: IPod): string[] {
  const named = lastingContainers(pod).flatMap(({ resources }) => Object.keys(resources?.requests ?? {}));
  return [...new Set(named)];
}

/** Why a pod does not fit on a node, beside those that are there; `undefined` when it does. */
function obstacle(pod: IPod, node: INode, others: readonly IPod[]): string | undefined {
  if (!hasLabels(node.metadata?.labels, pod.spec?.nodeSelector))
    return "node(s) didn't match Pod's node affinity/selector";
  const there = others.filter(({ spec }) => spec?.nodeName === node.metadata?.name);
  for (const resource of resourcesOf(pod)) {
    const used = there.reduce((sum, other) => sum + requestOf(other, resource), 0);
    const has = amountOf(node.status?.allocatable?.[resource] ?? 0);
    if (used + requestOf(pod, resource) > has) return `Insufficient ${resource}`;
  }
  const terms = pod.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const repels = ({ labelSelector }: (typeof terms)[number]) =>
    there.some(({ metadata }) => hasLabels(metadata?.labels, labelSelector?.matchLabels));
  return terms.some(repels) ? "node(s) didn't match pod anti-affinity rules" : undefined;
}

const PENDING = { phase: 'Pending' } as const;
/** Of the device plugin, whose part is played here. */
const RUNNING = { phase: 'Running' } as const;

/** The controllers of a cluster: {@link reconcile} is what they have done once nothing changes any more. */
export class Controllers {
  readonly #store: Store;
  readonly #surroundings: Surroundings;

  constructor(store: Store, surroundings: Surroundings) {
    this.#store = store;
    this.#surroundings = surroundings;
    for (const [index, group] of [ENCLAVES, ENCLAVES, 'others'].entries()) {
      const name = `ip-10-0-0-${index + 10}.eu-west-1.compute.internal`;
      const labels = { 'kubernetes.io/hostname': name, [NODE_GROUP]: group };
      store.create(NODES, '', { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } });
    }
  }

  #nodes(): INode[] {
    return this.#store.list(NODES) as INode[];
  }

  /** Brings pods and nodes into the state that the other objects ask for. */
  async reconcile(): Promise<void> {
    const daemons = (this.#store.list(DAEMON_SETS) as IDaemonSet[]).flatMap((set) => this.#podsOfDaemonSet(set));
    for (const node of this.#nodes()) this.#putNode(node, daemons);
    const waiting = (this.#store.list(DEPLOYMENTS) as IDeployment[]).flatMap((each) => this.#podsOfDeployment(each));
    const pods = [...daemons];
    for (const pod of waiting) pods.push(this.#schedule(pod, pods));
    const names = new Set(pods.map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`));
    for (const { metadata } of this.#store.list(PODS))
      if (!names.has(`${metadata.namespace}/${metadata.name}`))
        this.#store.remove(PODS, metadata.namespace ?? '', metadata.name);
    for (const pod of pods) this.#put(PODS, pod.metadata?.namespace ?? '', await this.#withContainers(pod));
  }

  #put(of: Resource, namespace: string, object: INode | IPod): void {
    const name = object.metadata?.name ?? '';
    if (this.#has(of, namespace, name)) this.#store.replace(of, namespace, name, object);
    else this.#store.create(of, namespace, object);
  }

  #has(of: Resource, namespace: string, name: string): boolean {
    return this.#store.list(of, of.namespaced ? namespace : undefined).some(({ metadata }) => metadata.name === name);
  }

  #podOf(owner: IDaemonSet | IDeployment, template: IPodTemplateSpec | undefined, suffix: string): IPod {
    const { name = '', namespace = '' } = owner.metadata ?? {};
    const metadata = { ...template?.metadata, name: `${name}-${suffix}`, namespace };
    return { apiVersion: 'v1', kind: 'Pod', metadata, ...(template?.spec && { spec: template.spec }) };
  }

  /** One on each node that it selects. */
  #podsOfDaemonSet(set: IDaemonSet): IPod[] {
    const chosen = this.#nodes().filter(({ metadata }) =>
      hasLabels(metadata?.labels, set.spec?.template.spec?.nodeSelector),
    );
    return chosen.map(({ metadata }, index) => {
      const pod = this.#podOf(set, set.spec?.template, String(index));
      return { ...pod, spec: { ...pod.spec, containers: pod.spec?.containers ?? [], nodeName: metadata?.name ?? '' } };
    });
  }

  /** As many as it asks for, once there is their service account. */
  #podsOfDeployment({ spec, ...deployment }: IDeployment): IPod[] {
    const account = spec?.template.spec?.serviceAccountName;
    const namespace = deployment.metadata?.namespace ?? '';
    if (account !== undefined && !this.#has(SERVICE_ACCOUNTS, namespace, account)) return [];
    return Array.from({ length: spec?.replicas ?? 1 }, (_, index) =>
      this.#podOf(deployment, spec?.template, String(index)),
    );
  }

  /** The node's resources: the machine's, less what is set aside, and what device plugins on it offer. */
  #putNode(node: INode, daemons: readonly IPod[]): void {
    const isWithEnclaves = node.metadata?.labels?.[NODE_GROUP] === ENCLAVES;
    const { memory_mib = 0, cpu_count = 0 } = (isWithEnclaves && this.#surroundings.allocation()) || {};
    const plugins = memory_mib === 0 ? [] : daemons.filter(({ spec }) => spec?.nodeName === node.metadata?.name);
    const allocatable = Object.assign(
      {
        cpu: String(MACHINE.vCpus - cpu_count),
        memory: mebibytes(MACHINE.memoryMib - memory_mib),
        'hugepages-2Mi': mebibytes(memory_mib),
        pods: '58',
      },
      ...plugins.map((pod) => offersOf(pod, cpu_count)),
    );
    this.#put(NODES, '', { ...node, status: { allocatable, capacity: allocatable } });
  }

  #schedule(pod: IPod, others: readonly IPod[]): IPod {
    const verdicts = this.#nodes().map((node) => ({ node, why: obstacle(pod, node, others) }));
    const fitting = verdicts.find(({ why }) => why === undefined)?.node.metadata?.name;
    const message = [...new Set(verdicts.map(({ why }) => why))].sort().join(', ');
    const condition =
      fitting === undefined
        ? { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }
        : { type: 'PodScheduled', status: 'True' };
    const containers = pod.spec?.containers ?? [];
    const place = fitting === undefined ? {} : { nodeName: fitting };
    return { ...pod, spec: { ...pod.spec, containers, ...place }, status: { conditions: [condition] } };
  }

  /** The volumes of a pod that are made of an object which is not there. */
  #missing({ metadata, spec }: IPod): string[] {
    const namespace = metadata?.namespace ?? '';
    return (spec?.volumes ?? []).flatMap(({ configMap, secret }) => [
      ...(configMap?.name && !this.#has(CONFIG_MAPS, namespace, configMap.name)
        ? [`configmap "${configMap.name}" not found`]
        : []),
      ...(secret?.secretName && !this.#has(SECRETS, namespace, secret.secretName)
        ? [`secret "${secret.secretName}" not found`]
        : []),
    ]);
  }

  /** What the kubelet of the pod's node finds before it starts the containers. */
  async #withContainers(pod: IPod): Promise<IPod> {
    const conditions = pod.status?.conditions ?? [];
    if (pod.spec?.nodeName === undefined) return { ...pod, status: { ...PENDING, conditions } };
    const missing = this.#missing(pod).join(', ');
    if (Object.keys(offersOf(pod, 0)).length > 0) return { ...pod, status: { ...RUNNING, conditions } };
    const statuses = lastingContainers(pod).map(async ({ name, image = '' }) => {
      const digest = await this.#surroundings.digestOf(image);
      const reason = digest === undefined && missing === '' ? 'ErrImagePull' : 'ContainerCreating';
      const waiting = { reason, ...(missing !== '' && { message: missing }) };
      return {
        name,
        image,
        imageID: digest === undefined ? '' : `${image.replace(/:[^:/]+$/, '')}@${digest}`,
        ready: false,
        restartCount: 0,
        state: { waiting },
      };
    });
    return { ...pod, status: { ...PENDING, conditions, containerStatuses: await Promise.all(statuses) } };
  }
}
