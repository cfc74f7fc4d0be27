// Object identifiers of the extensions that a path check reads (RFC 5280 §4.2.1).
export const SUBJECT_KEY_IDENTIFIER = '2.5.29.14';
export const KEY_USAGE = '2.5.29.15';
export const BASIC_CONSTRAINTS = '2.5.29.19';
export const CRL_DISTRIBUTION_POINTS = '2.5.29.31';
export const AUTHORITY_KEY_IDENTIFIER = '2.5.29.35';
