// Every frame of the worker protocol, both ways, as data. Incoming frames are read in reading.ts.
// The `type` of each is the discriminator; unknown fields and unknown types are ignored.

/** The body of an error on the wire. What REST calls `details` lies beside code and message. */
export interface ErrorBody {
  code: string;
  message: string;
  [detail: string]: unknown;
}

export type OutgoingFrame =
  | { type: 'workerregistered'; worker_id: string; reattach_token: string }
  | { type: 'invocationresult'; invocation_id: string; function_id: string; error: ErrorBody }
  | {
      type: 'registertrigger';
      id: string;
      trigger_type: string;
      function_id: string;
      config: unknown;
      metadata?: unknown;
    }
  | { type: 'unregistertrigger'; id: string; trigger_type: string }
  | { type: 'triggerregistrationresult'; id: string; trigger_type: string; function_id: string; error?: ErrorBody }
  | {
      type: 'registrationrejected';
      code: string;
      message: string;
      details?: object;
      namespace: 'default';
      function_id: string;
      owner_worker_id?: string;
    }
  | { type: 'error'; error: ErrorBody }
  | { type: 'pong' };

/** What a peer may send about triggers, checked; ids as the peer gave them. */
export type TriggerFrame =
  | { type: 'registertriggertype'; id: string; description: string; requestFormat?: unknown; callFormat?: unknown }
  | { type: 'unregistertriggertype'; id: string }
  | {
      type: 'registertrigger';
      id: string;
      triggerType: string;
      functionId: string;
      config: unknown;
      metadata?: unknown;
    }
  | { type: 'unregistertrigger'; id: string }
  | { type: 'triggerregistrationresult'; id: string; triggerType: string; error: ErrorBody | null };
