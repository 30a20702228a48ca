/**
 * What an event of a type has to have beyond its form: without it, the event would not say what its type says.
 * Members are named by their path. Events of the flat profile are not held to these.
 */

/** Members that an event of a type must have, all of them. */
export const REQUIRED_BY_TYPE = {
  'stepup.evaluated': ['subject', 'txn', 'decision'],
  'stepup.required': ['subject', 'txn', 'trigger.reason'],
  'stepup.challenge_sent': ['subject', 'txn', 'challenge.method'],
  'stepup.attempted': ['subject', 'txn'],
  'stepup.completed': ['subject', 'txn', 'outcome', 'challenge.method'],
  'stepup.enforced': ['subject', 'txn', 'system_action'],
  'stepup.bypassed': ['subject', 'txn'],
  'action.executed': ['action.id', 'action.time'],
  'feedback.recorded': ['feedback'],
  correction: ['corrects'],
} as const;

/** Of these alternatives an event of a type must have one, whole. */
export const ONE_OF_BY_TYPE: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'stepup.required': [['requirement'], ['challenge.method']],
  'stepup.completed': [['challenge.duration_ms'], ['challenge.started_time', 'challenge.completed_time']],
};

/** Members that have a meaning in events of one type only. */
export const ONLY_FOR_TYPE: Readonly<Record<string, string>> = {
  corrects: 'correction',
  feedback: 'feedback.recorded',
};

/** The reason that says nothing without `trigger.detail`. */
export const REASON_WITH_DETAIL = 'other';
