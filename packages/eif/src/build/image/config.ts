import type { EifArchitecture } from '../../format/header.ts';
import type { ImageCommand } from '../command/image-command.ts';
import { failBuild } from '../error.ts';
import type { JsonObject } from './json.ts';
import { expectObject, expectText, expectTexts, optionalText, optionalTexts } from './json.ts';

/** What an image's configuration says. */
export interface ImageConfig {
  readonly architecture: EifArchitecture;
  readonly os: string;
  readonly created: string | undefined;
  readonly command: ImageCommand;
  /** Digests of the layers, unpacked. */
  readonly diffIds: readonly string[];
}

const ARCHITECTURES: ReadonlyMap<string, EifArchitecture> = new Map([
  ['amd64', 'x86_64'],
  ['arm64', 'aarch64'],
]);

/** The CPU under the name that images give it; `undefined` for one that has no enclaves. */
export function imageArchitecture(name: string): EifArchitecture | undefined {
  return ARCHITECTURES.get(name);
}

function decodeCommand(config: JsonObject): ImageCommand {
  const entrypoint = optionalTexts(config['Entrypoint'], '$.config.Entrypoint');
  const cmd = optionalTexts(config['Cmd'], '$.config.Cmd');
  const env = optionalTexts(config['Env'], '$.config.Env');
  const workingDirectory = optionalText(config['WorkingDir'], '$.config.WorkingDir');
  const user = optionalText(config['User'], '$.config.User');
  return {
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(cmd === undefined ? {} : { cmd }),
    ...(env === undefined ? {} : { env }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    ...(user === undefined ? {} : { user }),
  };
}

/**
 * Decodes an image's configuration.
 * @throws {EifBuildError} `BUILD_MANIFEST`, or `BUILD_PLATFORM` for one that is not for Linux on a CPU with enclaves.
 */
export function decodeImageConfig(json: unknown): ImageConfig {
  const image = expectObject(json, '$');
  const os = expectText(image['os'], '$.os');
  const cpu = expectText(image['architecture'], '$.architecture');
  const architecture = imageArchitecture(cpu);
  if (os !== 'linux' || architecture === undefined) {
    failBuild('BUILD_PLATFORM', `expected an image for linux/amd64 or linux/arm64, found ${os}/${cpu}`);
  }
  const rootfs = expectObject(image['rootfs'], '$.rootfs');
  return {
    architecture,
    os,
    created: optionalText(image['created'], '$.created'),
    command: decodeCommand(expectObject(image['config'] ?? {}, '$.config')),
    diffIds: expectTexts(rootfs['diff_ids'], '$.rootfs.diff_ids'),
  };
}
