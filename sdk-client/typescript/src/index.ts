// What apps may import. Everything not named here may change at any time.

export { createClient, type BatchOptions, type Client, type ClientOptions } from "./client.js";
export type {
  Auth,
  AuthSettings,
  Credentials,
  EmailChange,
  KeyInfo,
  NewKey,
  AccountExport,
  PasswordChange,
  UpgradeDetails,
  SendTo,
  SessionFacts,
  SessionInfo,
  SignOutOptions,
  SignUp,
  User,
  UserDraft,
  UserPatch,
  Verb,
} from "./auth.js";
export type { BatchResults, Operation, OperationResult } from "./batch.js";
export type { Collection } from "./collection.js";
export {
  isSteadError,
  SteadError,
  type ClientCode,
  type ErrorCode,
  type FieldProblem,
  type ServerCode,
} from "./errors.js";
export {
  Factors,
  SecondFactorRequired,
  type SecondFactorList,
  type SecondFactorProof,
  type SecondFactorQuestion,
  type TotpSeed,
} from "./factors.js";
export {
  and,
  field,
  Filter,
  me,
  not,
  now,
  or,
  where,
  type CompiledFilter,
  type Field,
  type FilterFields,
} from "./filter.js";
export type { Call } from "./http.js";
export { newId } from "./id.js";
export { readLink, type Challenge, type Proof, type SentLink } from "./proof.js";
export { Passkeys, type PasskeyDevice, type PasskeyInfo, type PasskeyProof } from "./passkeys.js";
export type { Identity, IdTokenSignIn, ProviderOffer, ProviderOptions } from "./providers.js";
export type { Live, LiveListener, LiveQuery, LiveUpdate } from "./realtime/live.js";
export type { Change } from "./realtime/order.js";
export type { Realtime, WebSocketConstructor } from "./realtime/realtime.js";
export type { Status } from "./realtime/signals.js";
export type { Session, SessionEvent, SessionListener } from "./session.js";
export { browserStorage, memoryStorage, type Storage } from "./storage.js";
export type { Surroundings } from "./surroundings.js";
export type * from "./types.js";
