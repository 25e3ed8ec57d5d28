// The rows of the table of routes for dead letters.

import * as v from 'valibot';
import { DeadLettersQuery } from './dead-letter-routes.ts';
import type { RouteRow } from './openapi-table.ts';
import * as views from './view-schemas.ts';

export const DEAD_LETTERS: readonly RouteRow[] = [
  {
    route: 'GET /v1/dead-letters',
    id: 'listDeadLetters',
    summary: 'Inputs that are not delivered again, ascending by id',
    query: DeadLettersQuery,
    answers: { 200: v.object({ dead_letters: v.array(views.DeadLetterSummary), next_after: v.nullable(v.string()) }) },
  },
  {
    route: 'GET /v1/dead-letters/{input_id}',
    id: 'getDeadLetter',
    summary: 'One of them, with its payload',
    answers: { 200: v.object({ dead_letter: views.DeadLetterView }) },
    errors: ['input_not_found'],
  },
  {
    route: 'POST /v1/dead-letters/{input_id}/redeliver',
    id: 'redeliverDeadLetter',
    summary: 'Gives it to its worker as a new input, and forgets it',
    answers: { 202: v.object({ ack: views.Receipt }) },
    errors: [
      'input_not_found',
      'worker_not_found',
      'worker_stopping',
      'worker_stopped',
      'worker_failed',
      'worker_busy',
      'runtime_overloaded',
      'invalid_input',
      'actor_not_found',
    ],
  },
  {
    route: 'DELETE /v1/dead-letters/{input_id}',
    id: 'discardDeadLetter',
    summary: 'Throws it away',
    answers: { 200: v.object({ dead_letter: views.DeadLetterSummary }) },
    errors: ['input_not_found'],
  },
];
