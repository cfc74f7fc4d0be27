// @peculiar/x509 finds its parts through reflection, and needs the polyfill to have run before it is loaded.
import 'reflect-metadata';

export * from '@peculiar/x509';
