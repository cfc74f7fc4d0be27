// The stand-in for a cluster, by the genuine kubectl: what it makes of the manifests, and what it refuses, as the API does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { IPod } from 'kubernetes-models/v1/Pod';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../tools/run.mjs';
import { Cluster, KUBECTL, whyNoKubectl } from './cluster/cluster.ts';

const EXAMPLE = join(ROOT, 'examples', 'kubernetes');
const DIGEST = `sha256:${'0'.repeat(64)}`;
const LABEL = 'kubectl label node -l eks.amazonaws.com/nodegroup=enclaves aws-nitro-enclaves-k8s-dp=enabled';
const SECRET = 'kubectl create secret generic enclave-token --from-literal=token=of-the-image';

const reason = whyNoKubectl();

describe.skipIf(reason !== undefined)(
  `the cluster of the documents${reason === undefined ? '' : ` [${reason}]`}`,
  () => {
    let folder: string;
    let cluster: Cluster;
    let allocation: { memory_mib: number; cpu_count: number } | undefined;
    let pushed: boolean;
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'cluster-'));
      allocation = { memory_mib: 1024, cpu_count: 2 };
      pushed = true;
      cluster = await Cluster.start({
        allocation: () => allocation,
        digestOf: async () => (pushed ? DIGEST : undefined),
      });
      writeFileSync(join(folder, 'kubeconfig'), cluster.kubeconfig);
    });
    afterEach(async () => {
      await cluster[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    });

    /** Runs commands beside the manifests. */
    async function shell(code: string): Promise<{ status: number; output: string }> {
      const kubectl = `kubectl() { '${KUBECTL}' --cache-dir '${folder}/cache' "$@"; }`;
      const env = { ...process.env, KUBECONFIG: join(folder, 'kubeconfig') };
      const child = spawn('bash', ['-euo', 'pipefail', '-c', `exec 2>&1; ${kubectl}; ${code}`], { cwd: EXAMPLE, env });
      const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'close')]);
      return { status, output };
    }

    async function done(...commands: string[]): Promise<string> {
      const { status, output } = await shell(commands.join('\n'));
      expect(status, output).toBe(0);
      return output;
    }

    async function pods(): Promise<IPod[]> {
      return JSON.parse(await done('kubectl get pods -o json')).items;
    }

    it('has nodes that offer enclaves once they are labelled and have the device plugin', async () => {
      const offer = "kubectl get node -o jsonpath='{.items[*].status.allocatable.aws\\.ec2\\.nitro/nitro_enclaves}'";
      expect(await done('kubectl apply -f device-plugin.yaml', offer)).toMatch(/created\n$/);
      expect(await done(LABEL, offer)).toMatch(/labeled\n1 1$/);
      allocation = undefined;
      expect(await done(offer)).toBe('');
    });

    it('offers as many enclaves as the plugin is told to', async () => {
      const offers = "kubectl get node -o jsonpath='{.items[0].status.allocatable}'";
      const changed = `sed 's/value: "1"/value: "3"/; s/value: "true"/value: "false"/' device-plugin.yaml | kubectl apply -f -`;
      const output = await done(LABEL, changed, offers);
      expect(output).toContain('"aws.ec2.nitro/nitro_enclaves":"3"');
      expect(output).not.toContain('nitro_enclaves_cpus');
    });

    it.each([
      ['without its mount of the kubelet', '/mountPath: .var.lib.kubelet/d'],
      ['of another image', 's/-k8s-device-plugin:/-k8s-device:/'],
    ])('has no offer of a plugin %s', async (_what, change) => {
      const offers = "kubectl get node -o jsonpath='{.items[*].status.allocatable}'";
      const output = await done(LABEL, `sed '${change}' device-plugin.yaml | kubectl apply -f -`, offers);
      expect(output).not.toContain('nitro_enclaves');
    });

    it('places one pod on each node that has an enclave to give, and creates its containers', async () => {
      await done('kubectl apply -f device-plugin.yaml', LABEL, SECRET, 'kubectl apply -f application.yaml');
      const found = await pods();
      expect(new Set(found.map(({ spec }) => spec?.nodeName)).size).toBe(2);
      expect(found.flatMap(({ status }) => status?.containerStatuses?.map(({ imageID }) => imageID))).toEqual(
        Array(4).fill(`111122223333.dkr.ecr.eu-west-1.amazonaws.com/enclave-parent@${DIGEST}`),
      );
      expect(await done('kubectl get pods')).toMatch(/^enclave-application-1 +0\/2 +ContainerCreating +0 +\d+s$/m);
    });

    /** Why the pods are not scheduled, or what their containers wait for. */
    async function waitsFor(): Promise<(string | undefined)[]> {
      return (await pods()).map(({ status }) => {
        const [condition] = status?.conditions ?? [];
        const [container] = status?.containerStatuses ?? [];
        return condition?.message ?? container?.state?.waiting?.message ?? container?.state?.waiting?.reason;
      });
    }

    it('says what a pod waits for', async () => {
      await done('kubectl apply -f application.yaml');
      const nowhere = "node(s) didn't match Pod's node affinity/selector";
      expect(await waitsFor()).toEqual([nowhere, nowhere]);
      await done(LABEL);
      const [first] = await waitsFor();
      expect(first).toBe(`Insufficient aws.ec2.nitro/nitro_enclaves, ${nowhere}`);
      await done('kubectl apply -f device-plugin.yaml');
      expect(await waitsFor()).toEqual(Array(2).fill('secret "enclave-token" not found'));
      pushed = false;
      await done(SECRET);
      expect(await waitsFor()).toEqual(['ErrImagePull', 'ErrImagePull']);
      allocation = { memory_mib: 512, cpu_count: 2 };
      expect(await waitsFor()).toEqual(Array(2).fill(`Insufficient hugepages-2Mi, ${nowhere}`));
    });

    it('has no second place on a node for pods that keep away from each other', async () => {
      const modest = `sed '/hugepages-2Mi: 1Gi/d; /nitro_enclaves.*: "/d; s/replicas: 2/replicas: 3/' application.yaml`;
      await done(LABEL, SECRET, `${modest} | kubectl apply -f -`);
      expect(await waitsFor()).toEqual([
        ...Array(2).fill('ContainerCreating'),
        "node(s) didn't match Pod's node affinity/selector, node(s) didn't match pod anti-affinity rules",
      ]);
    });

    it('takes a manifest a second time, and finds nothing to change', async () => {
      const apply = 'kubectl apply -f application.yaml';
      await done(apply);
      expect((await done(apply)).match(/unchanged/g)).toHaveLength(4);
    });

    it.each([
      [
        'a kind that does not exist',
        "sed 's/DaemonSet/DemonSet/' device-plugin.yaml | kubectl create -f -",
        'no matches for kind',
      ],
      [
        'a field that does not exist',
        "sed 's/nodeSelector/nodeSelect/' device-plugin.yaml | kubectl create -f -",
        'unknown field "spec.template.spec.nodeSelect"',
      ],
      [
        'a field of another type',
        "sed 's/replicas: 2/replicas: two/' application.yaml | kubectl create -f -",
        'The Deployment "enclave-application" is invalid: spec.replicas: ',
      ],
      [
        'a required field missing',
        "sed 's/api, port: 443/api/' application.yaml | kubectl create -f -",
        'The Service "enclave-application" is invalid: spec.ports[0]: ',
      ],
      [
        'a namespace that is not there',
        "sed 's/kube-system/absent/' device-plugin.yaml | kubectl create -f -",
        'namespaces "absent" not found',
      ],
      ['an object that is there already', `${SECRET}; ${SECRET}`, 'already exists'],
      ['an object that is not there', 'kubectl get deployment absent', 'deployments.apps "absent" not found'],
      ['a collection that is not there', 'kubectl get enclaves', `the server doesn't have a resource type "enclaves"`],
      ['a label that is none', "kubectl label node --all 'a=b c'", 'invalid'],
      ['a selector that cannot be read', "kubectl get pods -l 'a in (b)'", 'unable to parse requirement'],
      [
        'pods by hand',
        'kubectl create -f - <<< \'{ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a" } }\'',
        'pods: expected',
      ],
    ])('refuses %s', async (_what, command, message) => {
      const { status, output } = await shell(command);
      expect(output).toContain(message);
      expect(status).not.toBe(0);
    });

    it('refuses a patch of a kind that it does not know, and changes nothing', async () => {
      await done('kubectl apply -f application.yaml');
      const { output } = await shell("sed 's/replicas: 2/replicas: 1/' application.yaml | kubectl apply -f -");
      expect(output).toContain('expected application/merge-patch+json');
      expect(await pods()).toHaveLength(2);
    });
  },
);
