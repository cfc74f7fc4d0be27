// The steps for EC2, of every example and of the guide: run as they are written, on a stand-in for an instance.
import { mkdtempSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { customTrustAnchor, verifyAttestationDocument } from '@nitro-enclaves/attestation';
import type { INode } from 'kubernetes-models/v1/Node';
import type { IPod } from 'kubernetes-models/v1/Pod';
import type { ISecret } from 'kubernetes-models/v1/Secret';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CodeBlock } from '../readme/code-blocks.ts';
import { codeBlocks } from '../readme/code-blocks.ts';
import { Cluster, KUBECTL, whyNoKubectl } from './cluster/cluster.ts';
import { Containers, whyNoContainers } from './containers.ts';
import { ImageRegistry, whyNoImageRegistry } from './image-registry.ts';
import type { SessionOptions } from './instance.ts';
import { Instance, whyNoInstance } from './instance.ts';
import { PackedRegistry } from './registry.ts';

const MINUTE = 60_000;
/** A session is stopped before. */
const SESSION_MS = 16 * MINUTE;

/** A public certificate authority, which answers to a request. */
const AUTHORITY = `openssl req -x509 -newkey rsa:2048 -noenc -keyout $INSTANCE/authority.key -out $INSTANCE/authority.pem -subj /CN=authority
openssl x509 -req -in request.pem -copy_extensions copy -days 30 -CA $INSTANCE/authority.pem -CAkey $INSTANCE/authority.key -out chain.pem`;

/** What documents begin with that are not about preparing an instance. */
const INSTALL = 'sudo dnf install -y aws-nitro-enclaves-cli aws-nitro-enclaves-cli-devel';

/** An image of a container, for documents that are about no application. */
const APP = 'docker build -f examples/hello/Dockerfile -t app .';

/** What the AWS CLI has to be able to do with the emulated KMS, refusals included. */
const AWS_CLI_SESSION = `
key=$(aws kms create-key --description wire --tags TagKey=stage,TagValue=test --query KeyMetadata.Arn --output text)
aws kms create-alias --alias-name alias/wire --target-key-id $key
aws kms describe-key --key-id alias/wire --query KeyMetadata.KeyState --output text | grep -x Enabled
printf 'over the wire' > plain
sealed=$(aws kms encrypt --key-id alias/wire --plaintext fileb://plain --encryption-context a=b --query CiphertextBlob --output text)
open() { aws kms decrypt --ciphertext-blob $sealed --encryption-context "$1" --query Plaintext --output text; }
echo "opened: $(open a=b | base64 -d)"
open a=c && exit 1
aws kms generate-data-key --key-id $key --key-spec AES_256 --query Plaintext --output text | base64 -d | wc -c | grep -x 32
signer=$(aws kms create-key --key-spec ECC_NIST_P256 --key-usage SIGN_VERIFY --query KeyMetadata.KeyId --output text)
signature=$(aws kms sign --key-id $signer --message fileb://plain --signing-algorithm ECDSA_SHA_256 --query Signature --output text)
printf %s "$signature" | base64 -d > signature
aws kms verify --key-id $signer --message fileb://plain --signing-algorithm ECDSA_SHA_256 --signature fileb://signature \\
  --query SignatureValid --output text | grep -x True
aws kms get-key-policy --key-id $key --policy-name default --query Policy --output text |
  jq '.Statement += [{ Effect: "Deny", Principal: "*", Action: "kms:Decrypt", Resource: "*" }]' > policy.json
aws kms put-key-policy --key-id $key --policy-name default --policy file://policy.json
open a=b && exit 1
aws kms list-keys --query 'length(Keys)'
aws kms schedule-key-deletion --key-id $signer --pending-window-in-days 7 --query KeyState --output text | grep -x PendingDeletion
aws kms describe-key --key-id alias/absent && exit 1
true
`;

/** Pulls the image of the pod, and runs the pod's program in it: without the hardware it has to load, and to answer the kubelet. */
const runPod = (imageId: string): string => `store="--root $CONTAINERS/images --runroot $CONTAINERS/run"
buildah $store rmi ${imageId.replace(/@.*/, ':1.0')}
NO_PROXY= HTTPS_PROXY=$IMAGES_PROXY buildah $store pull --policy always --cert-dir "$IMAGES_CERTIFICATES" ${imageId}
pod=$(buildah $store from --pull-never ${imageId})
variables='--env EIF_PATH=/app/application.eif --env MEMORY_MIB=1024 --env CPU_COUNT=2 --env READY_PORT=443 --env HEALTH_PORT=0'
timeout 10 buildah $store run --isolation chroot $variables $pod -- node /app/main.mjs || [ $? = 124 ]
buildah $store run --isolation chroot $pod -- nitro-enclaves --version`;

const impossible = await whyNoInstance();
const withoutContainers = whyNoContainers() ?? whyNoImageRegistry();
const withoutKubectl = whyNoKubectl();
/** By a further mark of a block, why it cannot be run. */
const without: Readonly<Record<string, string | undefined>> = { docker: withoutContainers, kubectl: withoutKubectl };
const reasons = Object.entries(without).flatMap(([mark, why]) => (why === undefined ? [] : [`no ${mark}: ${why}`]));
const reason = impossible ?? reasons.join('; ');

/** The blocks of the steps; those for docker and kubectl where they can be run. */
function steps(document: string): CodeBlock[] {
  return codeBlocks(document).filter(
    ({ language, marks }) =>
      language === 'sh' && marks[0] === 'ec2' && marks.every((mark) => without[mark] === undefined),
  );
}

/** The blocks of a document with this first mark, each behind its place. */
function marked(document: string, mark: string): [place: string, block: CodeBlock][] {
  const blocks = codeBlocks(document).filter(({ marks }) => marks[0] === mark);
  return blocks.map((block) => [block.place, block]);
}

/** What documents could have wrong, and what is said of it. */
const REFUSED = (
  [
    ['an option that AWS has not', 'aws ec2 run-instances --image-id ami-1 --enclaves Enabled=true', /--enclaves/],
    ['a value of another type', 'aws ec2 run-instances --image-id ami-1 --max-count many', /many/],
    ['a parameter of AWS missing', 'aws iam create-role --role-name enclave-parent', /--assume-role-policy-document/],
    ['a member that AWS has not', 'aws ec2 run-instances --image-id ami-1 --enclave-options On=true', /"On"/],
    ['an option that nitro-cli has not', 'nitro-cli run-enclave --eif a.eif --memory 512 --cpu-count 2', /found --eif/],
    [
      'a package that Amazon Linux has not',
      'sudo dnf install -y aws-nitro-enclaves',
      /find a match: aws-nitro-enclaves$/m,
    ],
    ['a group that no package makes', 'sudo usermod -aG enclaves $USER', /group 'enclaves' does not exist/],
    ['an account that is not there', 'sudo usermod -aG ne ubuntu', /user 'ubuntu' does not exist/],
    [
      'a service that no package has',
      'sudo systemctl enable --now nitro-enclaves',
      /nitro-enclaves.service does not exist/,
    ],
    [
      'a size that the allocator does not read',
      'echo memory: 1024 > /etc/nitro_enclaves/allocator.yaml; sudo systemctl enable --now nitro-enclaves-allocator',
      /expected memory_mib and cpu_count, found memory$/m,
    ],
    [
      'a size that is none',
      'echo memory_mib: 1G > /etc/nitro_enclaves/allocator.yaml; sudo systemctl enable --now nitro-enclaves-allocator',
      /memory_mib: expected a number above 0, found 1G$/m,
    ],
    ['a base image that is not there', "docker build -t x - <<< 'FROM node:absent'", /node:absent/],
    ['an image that is not there', 'docker push 111122223333.dkr.ecr.eu-west-1.amazonaws.com/absent:1.0', /not known/],
    [
      'a registry that is not there',
      "mkdir bare; echo 'FROM scratch' > bare/Dockerfile; docker build -t x.example/x:1 bare; docker push x.example/x:1",
      /No such host/,
    ],
    ['a manifest that is not there', 'kubectl apply -f examples/kubernetes/absent.yaml', /absent.yaml" does not exist/],
    ['a configuration that is not there', 'nitro-enclaves proxy --config absent.yaml', /absent.yaml/],
  ] satisfies [what: string, code: string, message: RegExp][]
).filter(([, code]) => Object.entries(without).every(([mark, why]) => why === undefined || !code.includes(`${mark} `)));

describe.skipIf(impossible !== undefined)(`the commands of the documents${reason === '' ? '' : ` [${reason}]`}`, () => {
  let instance: Instance;
  let registry: PackedRegistry;
  let containers: Containers | undefined;
  let images: ImageRegistry | undefined;
  let cluster: Cluster;
  beforeAll(async () => {
    instance = await Instance.start();
    registry = await PackedRegistry.start(join(instance.folder, 'packed'));
    instance.write('npmrc', registry.configuration);
    // Base images are made while the tree is built.
    await Promise.all([runCode('node tools/with-pnpm.mjs build'), startContainers()]);
    cluster = await Cluster.start({
      allocation: () => instance.allocation,
      digestOf: async (image) => await images?.digestOf(image),
    });
    instance.write('kubeconfig', cluster.kubeconfig);
    await prepare();
  }, SESSION_MS);
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await images?.[Symbol.asyncDispose]();
    containers?.close();
    await registry?.[Symbol.asyncDispose]();
    await instance?.[Symbol.asyncDispose]();
  }, SESSION_MS);

  async function startContainers(): Promise<void> {
    if (withoutContainers !== undefined) return;
    containers = new Containers(mkdtempSync(join(tmpdir(), 'containers-')), registry.configuration);
    images = await ImageRegistry.start(join(containers.folder, 'registry'));
  }

  /** Of the stand-ins for docker and kubectl. */
  const environment = () => ({
    ...containers?.env,
    ...images?.env,
    KUBECTL,
    KUBECONFIG: instance.pathOf('kubeconfig'),
  });

  async function runBlocks(blocks: readonly CodeBlock[], options: SessionOptions = {}): Promise<string> {
    const { status, output } = await instance.run(blocks, { ...options, env: environment() });
    expect(status, output.slice(-5000)).toBe(0);
    return output;
  }

  /** Runs commands of the test itself. */
  const runCode = (code: string) => runBlocks([{ place: 'the test', language: 'sh', marks: [], code }]);

  /** Makes it a new instance, with nitro-cli's packages. */
  async function prepare(): Promise<void> {
    instance.reset();
    await runCode(INSTALL);
  }

  /** Runs the steps of a document: on a new instance, which has nitro-cli only if that is none of the steps. */
  async function run(document: string, options?: SessionOptions): Promise<string> {
    const blocks = steps(document);
    if (blocks.some(({ code }) => code.includes('dnf install'))) instance.reset();
    else await prepare();
    return await runBlocks(blocks, options);
  }

  it(
    'of hello lead to an enclave that tells what it is',
    async () => {
      const output = await run('examples/hello/README.md');
      expect(output).toContain('"Terminated": true');
      expect(output).toContain(`PCR0 ${'0'.repeat(96)}\n`);
      const measured = Array.from(output.matchAll(/^PCR0 ([0-9a-f]{96})$/gm), ([, pcr]) => pcr);
      expect(measured.at(-1)).toBe(measured[withoutContainers === undefined ? 1 : 0]);
      expectAllocation();
      expect(instance.read('/etc/group')).toMatch(/^ne:x:\d+:ec2-user$/m);
    },
    SESSION_MS,
  );

  /** The allocator's service was enabled and started, and found what the steps wrote. */
  function expectAllocation(): void {
    expect(instance.allocation).toEqual({ memory_mib: 1024, cpu_count: 2 });
    const wanted = '/etc/systemd/system/multi-user.target.wants/nitro-enclaves-allocator.service';
    expect(readlinkSync(instance.pathOf(wanted))).toBe('/usr/lib/systemd/system/nitro-enclaves-allocator.service');
  }

  /** The requests that KMS has answered for enclaves, since the session began. */
  function attested(from: number): string[] {
    return instance.audit.slice(from).flatMap(({ eventName, errorCode, additionalEventData }) => {
      const { recipient } = (additionalEventData ?? {}) as { recipient?: object };
      return recipient !== undefined && errorCode === undefined ? [String(eventName)] : [];
    });
  }

  it(
    'of kms-tool lead to an application whose data key nobody else has',
    async () => {
      const from = instance.audit.length;
      const afterwards = `until grep -q '"eventName":"GenerateDataKey"' $INSTANCE/audit; do sleep 1; done`;
      await run('examples/kms-tool/README.md', { afterwards });
      expect(attested(from)).toEqual(['GenerateDataKey']);
    },
    SESSION_MS,
  );

  it(
    'of process-file lead to a summary that the sender believes',
    async () => {
      const from = instance.audit.length;
      const output = await run('examples/process-file/README.md');
      expect(output).toMatch(/^verified: \d+ checks held/m);
      expect(output).toContain('"rows": 3');
      expect(attested(from)).toEqual(['Decrypt', 'GenerateDataKey']);
    },
    SESSION_MS,
  );

  it(
    'of signer lead to a signature, and to a trail that verifies',
    async () => {
      const from = instance.audit.length;
      const output = await run('examples/signer/README.md');
      expect(output).toMatch(/"signature":"\w/);
      expect(output).toMatch(/^verified: i-\w+-enc\w+ of the image, 2 entries of its trail$/m);
      expect(attested(from)).toEqual(['GenerateDataKeyPair']);
    },
    SESSION_MS,
  );

  it(
    'of tls-server lead to TLS that ends in the enclave',
    async () => {
      const from = instance.audit.length;
      const output = await run('examples/tls-server/README.md', { before: { certified: AUTHORITY } });
      expect(output).toContain('GET /: hello from behind TLS that ends in the enclave');
      expect(output).toContain('Verify return code: 0 (ok)');
      expect(attested(from)).toEqual(['Decrypt']);
    },
    SESSION_MS,
  );

  it(
    'of verify-in-browser lead to a page, and to a document for its challenge',
    async () => {
      const ask = `curl -sf --retry 60 --retry-all-errors http://127.0.0.1:8080/attestation?nonce=${'ab'.repeat(32)} > $INSTANCE/answer; cp measurements.json $INSTANCE`;
      const output = await run('examples/verify-in-browser/README.md', { afterwards: ask });
      expect(output).toMatch(/^[0-9a-f]{64} {2}page\.html$/m);
      const { PCR0, PCR1, PCR2 } = JSON.parse(instance.read('measurements.json')).Measurements;
      const { moduleId } = await verifyAttestationDocument(instance.readBytes('answer'), {
        images: [{ pcrs: { 0: PCR0, 1: PCR1, 2: PCR2 } }],
        freshness: { nonce: Buffer.from('ab'.repeat(32), 'hex') },
        [customTrustAnchor]: instance.emulator.rootCertificate,
      });
      expect(moduleId).toContain('-enc');
    },
    SESSION_MS,
  );

  /** What the cluster has, in the form that kubectl gives for programs. */
  async function kubectlGet<T>(resource: string): Promise<T[]> {
    const output = await runCode(`kubectl get ${resource} -o json`);
    return JSON.parse(output.slice(output.indexOf('{'))).items;
  }

  it(
    'of kubernetes lead to pods on the nodes with enclaves, of the image that was pushed, whose program starts',
    async () => {
      const image = `dnf install -y aws-nitro-enclaves-cli-devel; node examples/make-root.mjs hello root`;
      const afterwards = 'cp token $INSTANCE';
      const output = await run('examples/kubernetes/README.md', { before: { image }, afterwards });
      expectAllocation();
      if (withoutKubectl !== undefined) return;
      expect(output.match(/"aws.ec2.nitro\/nitro_enclaves":"1"/g)).toHaveLength(2);
      const nodes = await kubectlGet<INode>('nodes');
      expect(nodes.map(({ status }) => status?.allocatable)).toEqual([
        ...Array(2).fill(expect.objectContaining({ 'aws.ec2.nitro/nitro_enclaves_cpus': '2', 'hugepages-2Mi': '1Gi' })),
        expect.not.objectContaining({ 'aws.ec2.nitro/nitro_enclaves': expect.anything() }),
      ]);
      const [secret] = await kubectlGet<ISecret>('secrets');
      expect(Buffer.from(secret?.data?.['token'] ?? '', 'base64').toString()).toBe(instance.read('token'));
      const pods = await kubectlGet<IPod>('pods');
      expect(new Set(pods.map(({ spec }) => spec?.nodeName)).size).toBe(2);
      if (withoutContainers !== undefined) return;
      const [, digest] = /^1\.0: digest: (sha256:[0-9a-f]{64})$/m.exec(output) ?? [];
      const imageId = `111122223333.dkr.ecr.eu-west-1.amazonaws.com/enclave-parent@${digest}`;
      const created = { imageID: imageId, state: { waiting: { reason: 'ContainerCreating' } } };
      const names = ['proxy', 'enclave'];
      for (const { status } of pods)
        expect(status?.containerStatuses).toEqual(names.map((name) => expect.objectContaining({ name, ...created })));
      expect(await runCode(runPod(imageId))).toContain('"event":"health"');
    },
    SESSION_MS,
  );

  it(
    'of the guide lead from the allocator to an enclave',
    async () => {
      const before = { docker: APP };
      const output = await run('docs/laptop-to-ec2.md', { before });
      expect(output).toContain('added ');
      expectAllocation();
      expect(instance.read('/etc/group')).toMatch(/^ne:x:\d+:ec2-user$/m);
      if (withoutContainers === undefined) expect(output).toContain('"State": "RUNNING"');
    },
    SESSION_MS,
  );

  it(
    'of the package eif lead to an image',
    async () => {
      const blobs = instance.pathOf('/usr/share/nitro_enclaves/blobs');
      const files = `node examples/make-root.mjs hello root; cp ${blobs}/nsm.ko .; cp ${blobs}/*Image bzImage`;
      const before = { docker: APP, ec2: files };
      expect(await run('packages/eif/README.md', { before })).toMatch(/^PCR0 [0-9a-f]{96}$/m);
    },
    SESSION_MS,
  );

  it(
    'of the package parent lead to a proxy that takes its file',
    async () => {
      const [yaml] = codeBlocks('packages/parent/README.md').filter(({ language }) => language === 'yaml');
      await prepare();
      instance.write('/etc/nitro_enclaves/proxy.yaml', yaml?.code ?? '');
      await runBlocks(steps('packages/parent/README.md'));
    },
    SESSION_MS,
  );

  it(
    'of the tests on real hardware lead to an image',
    async () => {
      expect(await run('test/qemu/README.md')).toMatch(/PCR0\W+[0-9a-f]{96}/);
    },
    SESSION_MS,
  );

  it.each(marked('README.md', 'clone'))(
    'of the first page do the demo: %s',
    async (_place, block) => {
      const output = await runBlocks([block]);
      expect(output).toContain('✓');
      expect(output).not.toContain('✗');
    },
    SESSION_MS,
  );

  it.each(marked('CONTRIBUTING.md', 'clone'))(
    'for contributors run a part of the tests: %s',
    async (_place, block) => {
      expect(await runBlocks([block])).toMatch(/^[1-9]\d* passed, 0 failed, \d+ skipped$/m);
    },
    SESSION_MS,
  );

  it.each(['tls-server', 'verify-in-browser'])(
    'that start everything on a laptop do: %s',
    async (example) => {
      const [[, block] = []] = marked(`examples/${example}/README.md`, 'laptop');
      const afterwards = 'until [ -s $INSTANCE/announced ]; do sleep 1; done; cat $INSTANCE/announced';
      const code = `${block?.code.trimEnd()} > $INSTANCE/announced &\n`;
      instance.write('announced', '');
      const output = await runBlocks([{ place: block?.place ?? '', language: 'sh', marks: [], code }], {
        afterwards,
      });
      expect(output).toMatch(/https?:\/\//);
    },
    SESSION_MS,
  );

  it.each(marked('packages/emulator/README.md', 'aws'))(
    'for the AWS CLI are done by it, at %s',
    async (_place, block) => {
      expect((await runBlocks([block])).split('\n').at(-1)).toBe('hello');
    },
    SESSION_MS,
  );

  it(
    'are not all that the AWS CLI does with the emulated KMS: keys, policies, signatures, refusals',
    async () => {
      const output = await runCode(AWS_CLI_SESSION);
      expect(output).toContain('opened: over the wire');
      expect(output.match(/\((InvalidCiphertext|AccessDenied|NotFound)Exception\)/g)).toEqual([
        '(InvalidCiphertextException)',
        '(AccessDeniedException)',
        '(NotFoundException)',
      ]);
    },
    SESSION_MS,
  );

  it.each(REFUSED)(
    'would fail with %s',
    async (_what, code, message) => {
      const session = [{ place: 'the test', language: 'sh', marks: [], code: `${code}\n` }];
      const { status, output } = await instance.run(session, { env: environment() });
      expect(output).toMatch(message);
      expect(status).not.toBe(0);
    },
    2 * MINUTE,
  );
});
