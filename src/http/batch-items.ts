/**
 * Items of the answer to a batch, as JSON texts: what the single route would have answered, with the event's number in the
 * batch and the status.
 *
 *   {"n":0,"status":201,"event_id":"evt_…",…}
 *   {"n":1,"status":422,"type":"https://log.example/problems/event_invalid",…}
 *
 * With statements, receipts of one round stand on one checkpoint, which is said once, before the first of them. A proof
 * ends at its blank line; the note behind it makes it whole.
 *
 *   {"checkpoint":1,"note":"log.example/bank\n42\n…"}
 *   {"n":0,"status":201,…,"statement":"eyJ…~","checkpoint":1,"proof":"c2sp.org/tlog-proof@v1\nindex 41\n…\n\n"}
 */

import { decodeUtf8 } from '../formats/text.ts';
import type { Submitted } from '../vault/vault.ts';
import { problemOf } from './problems.ts';
import { formatAscii, type ReceiptForm, type ReceiptParts, type Receipts } from './receipts.ts';
import type { Site } from './site.ts';

/** What became of an event. */
export type Fate =
  | { readonly submitted: Submitted; readonly error?: undefined }
  | { readonly submitted?: undefined; readonly error?: unknown };

/** What became of the event at `n`. */
export type Outcome = Fate & { readonly n: number };

/** Receipts made at a time. */
const AT_ONCE = 64;
/** Checkpoints that are remembered as said. One that is forgotten is said again, by another number. */
const MAX_SAID = 256;

export class BatchItems {
  readonly #site: Site;
  readonly #receipts: Receipts;
  readonly #form: ReceiptForm;
  readonly #said = new Map<string, number>();
  #checkpoints = 0;
  /** What is left of the time to wait for witnesses, which all items share. */
  #waitMs: number;

  constructor(site: Site, receipts: Receipts, form: ReceiptForm) {
    this.#site = site;
    this.#receipts = receipts;
    this.#form = form;
    this.#waitMs = form.wanted?.waitMs ?? 0;
  }

  /** The items of these outcomes, in their order, some at a time. What cannot be answered is answered as a failure. */
  async *format(outcomes: readonly Outcome[]): AsyncGenerator<readonly string[], void> {
    await this.#wait(outcomes);
    for (let at = 0; at < outcomes.length; at += AT_ONCE) {
      const some = outcomes.slice(at, at + AT_ONCE);
      const made = await Promise.allSettled(some.map((outcome) => this.#partsOf(outcome)));
      yield made.flatMap((settled, i) => {
        const { n, submitted } = some[i]!;
        if (settled.status === 'rejected') return [this.problem(n, settled.reason)];
        return this.#receipt(n, submitted!.created, settled.value);
      });
    }
  }

  /** Until all of them are witnessed, where that is asked for. */
  async #wait(outcomes: readonly Outcome[]): Promise<void> {
    const { wanted } = this.#form;
    const indexes = outcomes.flatMap(({ submitted }) => (submitted ? [submitted.event.leafIndex] : []));
    if (!wanted || indexes.length === 0) return;
    const startedMs = performance.now();
    await this.#receipts.wait({ leafIndex: Math.max(...indexes) }, { ...wanted, waitMs: this.#waitMs });
    this.#waitMs = Math.max(0, this.#waitMs - (performance.now() - startedMs));
  }

  problem(n: number, error: unknown): string {
    return JSON.stringify({ n, ...problemOf(this.#site, error) });
  }

  async #partsOf({ submitted, error }: Outcome): Promise<ReceiptParts> {
    if (!submitted) throw error;
    return this.#receipts.parts(submitted.event, this.#form, submitted.head?.checkpoint);
  }

  /** The item, and before it its checkpoint where that is new. */
  #receipt(n: number, created: boolean, { names, note, shown, isPending }: ReceiptParts): string[] {
    const status = isPending ? 202 : created ? 201 : 200;
    const begin = `{"n":${n},"status":${status},${names}`;
    if (!shown) return [`${begin}}`];
    const text = decodeUtf8(note);
    const known = this.#said.get(text);
    const checkpoint = known ?? this.#say(text);
    const { statement, proofHead } = shown;
    const item = `${begin},"statement":"${statement}","checkpoint":${checkpoint},"proof":${JSON.stringify(proofHead)}}`;
    return known === undefined ? [`{"checkpoint":${checkpoint},"note":${formatAscii(text)}}`, item] : [item];
  }

  #say(note: string): number {
    if (this.#said.size >= MAX_SAID) this.#said.clear();
    this.#said.set(note, ++this.#checkpoints);
    return this.#checkpoints;
  }
}
