/**
 * What a message says of itself in the clear, and what KMS and AES-GCM both authenticate (AWS Encryption SDK Developer
 * Guide, "Encryption context"). Never a secret: it is in the header of the message and in CloudTrail.
 */
export type DataContext = Readonly<Record<string, string>>;
