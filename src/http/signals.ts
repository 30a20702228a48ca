/** What the routes tell whoever listens; `telemetry/` counts and prints. */

export interface AnsweredRequest {
  readonly method: string;
  /** The pattern that matched: `/tile/*`, `/v1/leaves/:leaf`; `*` where none did. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
}
