import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import type { AwsCredentialIdentityProvider } from '@smithy/types';

/**
 * The AWS SDK's default chain: environment, files, containers, then the instance's role by IMDSv2. Version 1 of the
 * metadata service, which any request forgery reaches, is never asked.
 */
export function instanceCredentials(): AwsCredentialIdentityProvider {
  return fromNodeProviderChain({ ec2MetadataV1Disabled: true });
}
