import type { EifMetadata } from '../read/metadata.ts';
import type { EifFinding } from './finding.ts';
import { secretsIn, secretVariables } from './secrets.ts';

function property(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/** The image's environment as `docker inspect` shows it: nitro-cli copies it into every image. */
function dockerEnvironment({ dockerInfo }: EifMetadata): string[] {
  const variables = property(property(dockerInfo, 'Config'), 'Env');
  return Array.isArray(variables) ? variables.filter((item) => typeof item === 'string') : [];
}

/** Judges the metadata, which anyone who gets the file can read and anyone who can write it can change. */
export function lintMetadata(metadata: EifMetadata): EifFinding[] {
  const findings: EifFinding[] = [];
  const path = '$.DockerInfo.Config.Env';
  const environment = dockerEnvironment(metadata);
  const secrets = secretVariables(environment);
  for (const name of secrets) {
    const message = `the metadata show the value of ${name} to everyone who has the file: build without it, and change it`;
    findings.push({ rule: 'SECRET_ENVIRONMENT', severity: 'warning', message, path });
  }
  const others = environment.map((line) => line.split('=', 1)[0] ?? '').filter((name) => name !== 'PATH');
  const shown = others.filter((name) => !secrets.includes(name));
  if (shown.length > 0) {
    const message = `the metadata show the image's environment (${shown.join(', ')}): build without DockerInfo`;
    findings.push({ rule: 'METADATA_ENVIRONMENT', severity: 'warning', message, path });
  }
  for (const what of secretsIn(JSON.stringify(metadata.customMetadata) ?? '')) {
    const message = `the metadata hold ${what}: take it out, and change it`;
    findings.push({ rule: 'SECRET_CONTENT', severity: 'warning', message, path: '$.CustomMetadata' });
  }
  for (const [field, value] of [
    ['DockerInfo', metadata.dockerInfo],
    ['CustomMetadata', metadata.customMetadata],
  ] as const) {
    if (value === null || typeof value !== 'object' || Object.keys(value).length === 0) continue;
    const message = `no PCR covers ${field}: whoever can write the file can change it, so decide nothing on it`;
    findings.push({ rule: 'METADATA_UNMEASURED', severity: 'note', message, path: `$.${field}` });
  }
  return findings;
}
