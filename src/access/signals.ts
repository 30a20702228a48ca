/** What the token list tells whoever listens. */
export type TokensSignal =
  | { event: 'tokens_read'; tokens: number }
  /** The last good list stays in force. */
  | { event: 'tokens_unreadable'; error: unknown };

/** What the keys of the OIDC issuer tell. */
export type IssuerSignal =
  | { event: 'issuer_keys_read'; keys: number }
  /** The keys that were read last are believed until they are too old. */
  | { event: 'issuer_unreachable'; error: unknown };
