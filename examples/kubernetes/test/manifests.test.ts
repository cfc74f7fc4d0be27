import { readFileSync } from 'node:fs';
import { parseServiceConfig } from '@nitro-enclaves/parent';
import type { IDaemonSet } from 'kubernetes-models/apps/v1/DaemonSet';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { IService } from 'kubernetes-models/v1/Service';
import type { IServiceAccount } from 'kubernetes-models/v1/ServiceAccount';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { schemaErrors, unknownFields } from './schema.ts';

type Manifest = IDaemonSet | IDeployment | IConfigMap | IService | IServiceAccount;

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');

function manifestsOf(name: string): Manifest[] {
  return parseAllDocuments(read(name)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Manifest;
  });
}

const plugin = manifestsOf('device-plugin.yaml');
const application = manifestsOf('application.yaml');
const all = [...plugin, ...application];

const deployment = application.find((manifest): manifest is IDeployment => manifest.kind === 'Deployment');
const config = application.find((manifest): manifest is IConfigMap => manifest.kind === 'ConfigMap');
const daemonSet = plugin.find((manifest): manifest is IDaemonSet => manifest.kind === 'DaemonSet');
const pod = deployment?.spec?.template.spec;
const enclave = pod?.containers.find(({ name }) => name === 'enclave');
const proxy = pod?.initContainers?.find(({ name }) => name === 'proxy');
const environment = new Map(enclave?.env?.map(({ name, value }) => [name, value]));

/** The deployment with one thing of its container changed. */
function changed(change: (container: Record<string, unknown>) => void): IDeployment {
  const copy = structuredClone(deployment) as IDeployment;
  change(copy.spec?.template.spec?.containers[0] as never);
  return copy;
}

describe('the manifests', () => {
  it('are the kinds that the README names', () => {
    expect(all.map(({ kind }) => kind)).toEqual(['DaemonSet', 'ConfigMap', 'ServiceAccount', 'Deployment', 'Service']);
  });

  it.each(all.map((manifest) => [manifest.kind, manifest] as const))('hold to the schema of a %s', (_, manifest) => {
    expect(schemaErrors(manifest)).toEqual([]);
  });

  it('have no field that Kubernetes does not know', () => expect(all.flatMap(unknownFields)).toEqual([]));

  it.each([
    ['another type', (container: Record<string, unknown>) => Object.assign(container, { image: 1 }), '/image'],
    ['no name', (container: Record<string, unknown>) => delete container['name'], ''],
    [
      'an amount that is none',
      (container: Record<string, unknown>) => Object.assign(container, { resources: { limits: { memory: 'much' } } }),
      '/resources/limits/memory',
    ],
  ])('would be refused with %s', (_, change, place) => {
    const places = schemaErrors(changed(change)).map(({ instancePath }) => instancePath);
    expect(places).toContain(`/spec/template/spec/containers/0${place}`);
  });

  it('would be refused with a field that does not exist', () => {
    const withField = changed((container) =>
      Object.assign(container, { hugepages: '1Gi', env: [{ name: 'A', valeu: '' }] }),
    );
    expect(unknownFields(withField)).toEqual([
      'spec.template.spec.containers[0].env[0].valeu',
      'spec.template.spec.containers[0].hugepages',
    ]);
  });

  it('would be refused in another version, and as a kind that does not exist', () => {
    for (const other of [{ apiVersion: 'apps/v1beta1' }, { kind: 'Deploiment' }])
      expect(() => schemaErrors({ ...deployment, apiVersion: 'apps/v1', kind: 'Deployment', ...other })).toThrow(
        'no matches',
      );
  });
});

describe('the pod', () => {
  const { requests = {}, limits = {} } = enclave?.resources ?? {};

  it('asks for one enclave, its CPUs and its huge pages, in equal requests and limits', () => {
    for (const name of ['aws.ec2.nitro/nitro_enclaves', 'aws.ec2.nitro/nitro_enclaves_cpus', 'hugepages-2Mi'])
      expect([name, requests[name]]).toEqual([name, limits[name] ?? 'no limit']);
    expect(requests['aws.ec2.nitro/nitro_enclaves']).toBe('1');
    expect(requests['aws.ec2.nitro/nitro_enclaves_cpus']).toBe(environment.get('CPU_COUNT'));
    expect(requests['hugepages-2Mi']).toBe(`${Number(environment.get('MEMORY_MIB')) / 1024}Gi`);
    expect(pod?.volumes).toContainEqual({ name: 'hugepages', emptyDir: { medium: 'HugePages-2Mi' } });
  });

  it('goes to the nodes on which the device plugin runs, one on each', () => {
    expect(pod?.nodeSelector).toEqual(daemonSet?.spec?.template.spec?.nodeSelector);
    const [rule] = pod?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    expect(rule).toMatchObject({
      topologyKey: 'kubernetes.io/hostname',
      labelSelector: { matchLabels: deployment?.spec?.template.metadata?.labels },
    });
  });

  it('mounts only volumes that it has', () => {
    const volumes = pod?.volumes?.map(({ name }) => name);
    const mounts = [enclave, proxy].flatMap((container) => container?.volumeMounts?.map(({ name }) => name) ?? []);
    expect([...new Set(mounts)].sort()).toEqual(volumes?.toSorted());
  });

  it('may open AF_VSOCK sockets, and runs the proxy with no privilege', () => {
    expect(pod?.securityContext?.seccompProfile).toEqual({ type: 'Unconfined' });
    expect(proxy?.securityContext).toMatchObject({
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
  });
});

describe('the configuration of the proxy', () => {
  const service = parseServiceConfig(config?.data?.['proxy.yaml'] ?? '', 'proxy.yaml');

  it('is for the CID under which the enclave is started', () => {
    const cid = Number(environment.get('ENCLAVE_CID'));
    expect(service.credentials?.grants.map((grant) => grant.cid)).toEqual([cid]);
    expect(service.logs?.cids).toEqual([cid]);
    for (const route of service.proxy.routes)
      expect(route.direction === 'egress' ? route.cids : [route.cid]).toEqual([cid]);
  });

  it('listens where the probes and the Service look', () => {
    const ports = new Map(proxy?.ports?.map(({ name, containerPort }) => [name, containerPort]));
    expect(service.metrics).toEqual({ host: '0.0.0.0', port: ports.get('metrics') });
    const world = service.proxy.routes.flatMap((route) => (route.direction === 'ingress' ? [route.from] : []));
    expect(world).toEqual([{ kind: 'tcp', host: '0.0.0.0', port: ports.get('api') }]);
    expect(proxy?.startupProbe?.httpGet).toEqual({ path: '/healthz', port: 'metrics' });
  });

  it('reads its token where it is mounted', () => {
    const mount = proxy?.volumeMounts?.find(({ name }) => name === 'token')?.mountPath;
    expect(service.credentials?.grants[0]?.tokenFile).toBe(`${mount}/token`);
  });
});
