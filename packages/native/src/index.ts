export type { NativeUnavailableCode, SystemError } from './error.ts';
export { NativeUnavailableError } from './error.ts';
export type { NativeNsmDevice } from './nsm-device.ts';
export { openNsmDevice } from './nsm-device.ts';
export type { AcceptedSocket, ConnectOutcome, ListenerReceiver, SocketListener } from './sockets.ts';
export {
  bindSocket,
  closeSocket,
  connectSocket,
  duplicateSocket,
  getSocketOption,
  keepSocket,
  listenSocket,
  localCid,
  localName,
  openSocket,
  peerName,
  setSocketOption,
} from './sockets.ts';
