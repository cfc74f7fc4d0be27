export type { CredentialGrant, CredentialServed, CredentialServerOptions } from './credentials/credential-server.ts';
export {
  allowLongTermCredentials,
  CREDENTIALS_PORT,
  CredentialServer,
  startCredentialServer,
} from './credentials/credential-server.ts';
export type { RateLimit } from './credentials/rate-limit.ts';
export type { LaunchErrorCode } from './launch/error.ts';
export { LaunchError } from './launch/error.ts';
export type { ExitStatus } from './launch/exit-status.ts';
export { ExitStatusListener } from './launch/exit-status.ts';
export type {
  EnclaveDescription,
  EnclaveLauncher,
  EnclaveMeasurements,
  RunEnclaveOptions,
  RunningEnclave,
  WaitOptions,
} from './launch/launcher.ts';
export type { BuildEnclaveOptions, NitroCliOptions } from './launch/nitro-cli.ts';
export { NitroCli } from './launch/nitro-cli.ts';
export type { NitroCliErrorCode } from './launch/nitro-cli-error.ts';
export { NITRO_CLI_ERRORS, NitroCliError } from './launch/nitro-cli-error.ts';
export type { SizingRequest } from './launch/sizing.ts';
export { expectRoomFor, leastMemoryMiB } from './launch/sizing.ts';
export type { RestartPolicy, SuperviseOptions, SupervisorEvents } from './launch/supervisor.ts';
export { EnclaveSupervisor, superviseEnclave } from './launch/supervisor.ts';
export type { LogSinkOptions, ReceivedRecord, RefusedLine } from './logs/log-sink.ts';
export { LogSink, startLogSink } from './logs/log-sink.ts';
export type { OpenTelemetryTarget } from './logs/open-telemetry.ts';
export { toOpenTelemetry } from './logs/open-telemetry.ts';
export type { FieldValue, LogLevel, LogRecord, MetricRecord, TelemetryRecord } from './logs/record.ts';
export { LOG_PORT } from './logs/record.ts';
export type { AllowEntry, Permission, Target } from './proxy/allow-list.ts';
export { AllowList } from './proxy/allow-list.ts';
export type { AddressFamily } from './proxy/dial.ts';
export type { ProxyErrorCode } from './proxy/error.ts';
export { ProxyError } from './proxy/error.ts';
export type { ConnectionEntry, ProxyLog, ProxyLogEntry, ServiceEntry } from './proxy/observer.ts';
export type { ProxyConfig, ProxyServiceOptions } from './proxy/proxy-service.ts';
export { ProxyService } from './proxy/proxy-service.ts';
export type { RelayBy } from './proxy/relay.ts';
export type { Resolution, Resolver } from './proxy/resolver.ts';
export { systemResolver } from './proxy/resolver.ts';
export type { EgressRoute, IngressRoute, ProxyLimits, Route, WorldDestination, WorldListener } from './proxy/route.ts';
export { DEFAULT_LIMITS } from './proxy/route.ts';
export type { ServiceConfig } from './service/config-file.ts';
export { parseServiceConfig } from './service/config-file.ts';
export type { ParentServiceOptions } from './service/parent-service.ts';
export { ParentService } from './service/parent-service.ts';
export { systemdSockets } from './service/systemd-sockets.ts';
