// The rows of the one table of errors; see errors.ts.

/** One row: HTTP status, whether the same call may succeed later without being changed, and the default message. */
interface ErrorRow {
  readonly status: number;
  readonly retryable: boolean;
  readonly message: string;
  /** Who is to act on it and how; printed in ERRORS.md. */
  readonly remedy: string;
}

const row = (status: number, retryable: boolean, message: string, remedy: string): ErrorRow => ({
  status,
  retryable,
  message,
  remedy,
});

export const ERRORS = {
  // --- the request ---
  invalid_json: row(
    400,
    false,
    'The body is not valid JSON.',
    'Send well-formed UTF-8 JSON, nested no deeper than the limit, without `__proto__` keys.',
  ),
  invalid_request: row(
    400,
    false,
    'The request is not valid.',
    'See `details.issues`: each names the path and what is wrong there.',
  ),
  invalid_query: row(400, false, 'The query string is not valid.', 'See `details.issues`.'),
  invalid_worker_id: row(
    400,
    false,
    'The worker id is not valid.',
    'Use 1 to 128 characters of `A-Z a-z 0-9 . _ : -`, not percent-encoded.',
  ),
  unauthorized: row(
    401,
    false,
    'A valid bearer token is required.',
    'Send `Authorization: Bearer TOKEN`; the runtime says at its start where the token is kept.',
  ),
  route_not_found: row(404, false, 'There is no such route.', 'Check the path.'),
  worker_not_found: row(404, false, 'There is no such worker.', 'Create it, or check the id.'),
  input_not_found: row(
    404,
    false,
    'There is no such input.',
    'Receipts are kept for a bounded count and time; the input may have ended long ago.',
  ),
  actor_not_found: row(
    404,
    false,
    'There is no actor of that kind.',
    '`GET /v1/actors` lists what this runtime has loaded.',
  ),
  not_found: row(
    404,
    false,
    'There is nothing with that id or name.',
    'List first: hosts, sources, workers, functions, trigger types and triggers come and go.',
  ),
  function_not_found: row(404, false, 'There is no such function.', 'Register it first, or check the name.'),
  method_not_allowed: row(
    405,
    false,
    'The route does not support this method.',
    'The `Allow` header lists the methods.',
  ),
  payload_too_large: row(
    413,
    false,
    'The message is larger than the limit.',
    'Send less; `details` tells the size, the limit and the hop that refused it.',
  ),
  unsupported_media_type: row(
    415,
    false,
    'The body must be application/json.',
    'Set `Content-Type: application/json`.',
  ),
  invalid_input: row(
    422,
    false,
    'The actor does not accept this input.',
    'See `details.issues` and the input schema in `GET /v1/actors`. The input did not run.',
  ),
  headers_too_large: row(431, false, 'The request headers are too large.', 'Send fewer or shorter headers.'),

  // --- the state of a worker ---
  worker_busy: row(
    429,
    true,
    'The worker has no room for another input.',
    'Retry after `details.retry_after_ms`. Status 409 when the worker is turn-based and running.',
  ),
  worker_stopping: row(409, true, 'The worker is stopping.', 'Wait until it has stopped, then restore it.'),
  worker_stopped: row(409, false, 'The worker is stopped.', 'Restore it first.'),
  worker_failed: row(
    409,
    false,
    'The worker failed and its restarts are used up.',
    'Its `failure` and its transcript have the cause, and the deaths that led to it: mend that, then restore it.',
  ),
  worker_exists: row(
    409,
    false,
    'A worker with this id exists and was created by another request.',
    'Choose another id, or repeat the original request.',
  ),
  worker_active: row(409, false, 'The worker is active.', 'Stop it first, or delete with `force=true`.'),
  idempotency_conflict: row(
    409,
    false,
    'This idempotency key was used with another input.',
    'Use a new key for a new input.',
  ),
  call_cycle: row(
    409,
    false,
    'The ask would wait for itself: the worker that is asked waits for the one that asks.',
    'See `details.chain`. Tell instead of asking, or ask a worker that is not in the chain.',
  ),
  unsupported_operation: row(409, false, 'This is not supported here.', 'See the message.'),

  // --- the state of the runtime ---
  runtime_overloaded: row(
    503,
    true,
    'The runtime holds as many bytes as it may.',
    'Retry later; `details` tells the bound.',
  ),
  runtime_unavailable: row(
    503,
    true,
    'The runtime is not available.',
    '`details.reason` says why, where that is known: `recovering`, `draining`, `stopped`, `store_failed`. Retry later, or against another one.',
  ),
  timeout: row(
    504,
    true,
    'The outcome did not arrive in time.',
    'The input may still run: ask for its receipt with `details.input_id`.',
  ),
  internal: row(
    500,
    false,
    'Something went wrong inside the runtime.',
    'Report it with the time of the request; the log has the cause.',
  ),

  // --- outcomes of an accepted input ---
  actor_error: row(
    500,
    false,
    'The actor threw an error.',
    'The log of the runtime has its name; throw an ActorError to give callers a code.',
  ),
  invalid_output: row(
    500,
    false,
    'The actor returned a value that cannot be encoded or breaks its output schema.',
    'Mend the actor.',
  ),
  cancelled: row(409, false, 'The input was cancelled.', 'Nothing to do: somebody asked for it.'),
  expired: row(
    504,
    true,
    'The deadline passed before the input could start.',
    'It never ran; retry with a later deadline or when the worker is less busy.',
  ),
  handler_timeout: row(
    504,
    false,
    'The handler took longer than its actor allows.',
    'Look before you repeat it: it ran for `details.ran_ms`, and `details.killed` says whether its host had to be killed.',
  ),
  worker_crashed: row(
    500,
    false,
    'The worker crashed while the input was running; whether it had an effect is unknown.',
    'Something that the actor did not wait for has failed: the log says what. Await it there. Look before you repeat the input.',
  ),
  poison_input: row(
    500,
    false,
    'The input was running each time its host died, as often as its actor allows.',
    'It is kept in `GET /v1/dead-letters`: mend the actor, then redeliver it, or discard it.',
  ),
  host_lost: row(
    500,
    false,
    'The host died while the input was running; whether it had an effect is unknown.',
    '`details.cause` says how it died. Look before you repeat the input, or let the actor say `onInterrupt: "retry"`.',
  ),

  // --- calls of functions ---
  forbidden: row(
    403,
    false,
    'The credential does not allow this.',
    'Ask the operator: what a credential may call and expose is set in `gateway.credentials`.',
  ),
  function_exists: row(
    409,
    false,
    'Another live owner serves a function with this id.',
    'Choose another id, or end the other owner first; one that reconnects with its token takes its own back.',
  ),
  deserialization_error: row(
    422,
    false,
    'The payload does not fit the function.',
    'See `details.issues`. The function did not run.',
  ),
  trigger_registration_failed: row(
    409,
    false,
    'The trigger or the trigger type could not be registered.',
    'See the message: its provider refused it, somebody else holds the id, or there is no room for more.',
  ),
  invocation_failed: row(
    502,
    false,
    'The function failed where it runs.',
    'The message is that of the remote; its own log has the rest.',
  ),
  invocation_stopped: row(
    503,
    false,
    'The connection on which the call was answered, or asked, has ended; whether it had an effect is unknown.',
    'Look before you repeat it: the function may have run.',
  ),
  invocation_failed_payload_too_large: row(
    413,
    false,
    'A message of this call is larger than the limit.',
    'Send less, or send the data through a channel; `payload_bytes` and `limit_bytes` tell by how much.',
  ),
  tool_failed: row(
    502,
    false,
    'The tool answered with an error.',
    'The message is what the MCP server said; `details.content` has the rest.',
  ),

  // --- functions over HTTP, sources and channels ---
  url_validation_failed: row(
    403,
    false,
    'Requests may not go to this URL.',
    '`details.rule` names the rule; what may be reached is set in `http` of the configuration.',
  ),
  secret_not_found: row(
    422,
    false,
    'The variable of the HMAC secret is not set, or may not be used.',
    'Set it for the runtime, and allow its name in `http.variables`.',
  ),
  token_not_found: row(
    422,
    false,
    'The variable of the bearer token is not set, or may not be used.',
    'Set it for the runtime, and allow its name in `http.variables`.',
  ),
  api_key_not_found: row(
    422,
    false,
    'The variable of the API key is not set, or may not be used.',
    'Set it for the runtime, and allow its name in `http.variables`.',
  ),
  http_error: row(
    502,
    false,
    'The server answered with an error.',
    '`details.status` is its HTTP status; what a 5xx means for a repetition is for the server to say.',
  ),
  http_request_failed: row(
    502,
    true,
    'The request could not be made: no connection, no trust in its certificate, or no answer in time.',
    'See whether the server is there; whether the request had an effect is unknown once it was sent.',
  ),
  http_response_failed: row(
    502,
    false,
    'The answer broke off, or could not be decoded.',
    'Look before you repeat it: the request was received.',
  ),
  invalid_response: row(
    502,
    false,
    'The server answered with something that is not JSON.',
    'Functions over HTTP answer with JSON, or with an empty body.',
  ),
  invalid_source: row(
    422,
    false,
    'The source cannot be read.',
    'See the message and `details.issues`: the document, or what the server answered, is not what it should be.',
  ),
  channel_not_found: row(
    404,
    false,
    'There is no such channel, or the key is wrong.',
    'Channels end with their owner, when both ends are done, or when nobody has used them for a while: make a new one.',
  ),
  channel_taken: row(
    409,
    false,
    'This end of the channel has been taken.',
    'Each end is taken once; make a new channel for another transfer.',
  ),
  channel_closed: row(
    409,
    false,
    'The channel has been closed by its other end.',
    'What arrived before is valid; make a new channel for the rest.',
  ),

  // --- what is kept ---
  transcript_trimmed: row(
    410,
    false,
    'The entries after this one have been trimmed.',
    'Go on after `details.resume_after`: what is older is not kept any more.',
  ),
  store_corrupt: row(
    500,
    false,
    'What the store holds cannot be read.',
    '`greenroom fsck` says what is wrong; restore a backup, or delete the worker that is concerned.',
  ),
  store_failed: row(
    503,
    true,
    'The store cannot write.',
    'Make room on its disk, or make it writable; the runtime goes on by itself.',
  ),
  store_in_use: row(
    409,
    false,
    'Another runtime uses this store.',
    'Stop that one first, or choose another data directory.',
  ),
  store_version: row(
    409,
    false,
    'The store was written by a newer version.',
    'Use that version, or restore a backup that this one has made.',
  ),
  migration_failed: row(
    500,
    false,
    "The worker's state could not be brought to the version of its actor.",
    "Mend the actor's `migrate`, then restore the worker.",
  ),

  // --- starting up ---
  invalid_option: row(400, false, 'An option is not valid.', 'The message names the option.'),
  invalid_actor: row(
    500,
    false,
    'An actor module cannot be loaded.',
    '`greenroom check-actor FILE` says what is wrong with it.',
  ),
} as const satisfies Record<string, ErrorRow>;
