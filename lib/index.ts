// Package entry "greenroom": embed a runtime in a Backend. Everything public, by name.
//
//   createRuntime ─▶ Runtime ─▶ WorkerHandle          what a Backend uses
//        runtime.ts  the composition root             supervisor/  owns workers' lives
//        host/       threads and the wire to them     protocol/    what crosses a wire
//        functions/  who serves which `ns::name`      channels/    streams of any size
//        store/      what outlives a host             server/      REST ("greenroom/server"), not loaded here
//   Behind the server, and only when it is on: gateway/ remotes over WebSocket, access/ what each may do, engine/ what the
//   runtime itself serves to them. remote/ ("greenroom/remote") is the far end of that wire, client/ that of REST.

export { createRuntime } from './runtime.ts';
export type { RuntimeChannel } from './channels/open.ts';
export type { ChannelOptions, ChannelRef, ChannelRefs } from './protocol/channel-ref.ts';
export type { ReadableOptions } from './channels/streams.ts';
export type { CreateOutcome, InvokeOptions, Runtime, RuntimeOptions } from './runtime.ts';
export type { SourceOptions, SourceRequest } from './protocol/source-request.ts';
export { GreenroomError } from './errors.ts';
export type { ErrorCode, WireError } from './errors.ts';
export { DEFAULT_LIMITS } from './limits.ts';
export type { Limits, MailboxLimits } from './limits.ts';
export type { FunctionQuery } from './protocol/function-query.ts';
export type { Logger } from './observe/log.ts';
export type { HttpAuth, HttpFunctionDocument } from './protocol/http-function.ts';
export type { ActorConfig, ActorInput, ActorOutput, ActorShape } from './protocol/shapes.ts';
export type {
  ActorView,
  CancelAck,
  CloseReport,
  Durability,
  FunctionView,
  HostDetail,
  HostView,
  InputView,
  Outcome,
  PeerStatus,
  PeerSummary,
  PeerView,
  Receipt,
  RuntimeView,
  SourceChange,
  SourcePreview,
  SourceStatus,
  SourceSummary,
  SourceView,
  StopAck,
  StorageView,
  TranscriptEntry,
  WorkerStatus,
  WorkerSummary,
  WorkerView,
} from './protocol/views.ts';
export type { AskOptions, TellOptions, TranscriptOptions, WorkerHandle } from './supervisor/handle.ts';
export type { CreateRequest } from './supervisor/creation.ts';
export type { CancelRequest } from './supervisor/options.ts';
export type { StopRequest } from './supervisor/stopping.ts';
