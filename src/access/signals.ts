/** What the token list tells whoever listens. */
export type TokensSignal =
  | { event: 'tokens_read'; tokens: number }
  /** The last good list stays in force. */
  | { event: 'tokens_unreadable'; error: unknown };
