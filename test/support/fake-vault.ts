/**
 * A vault that answers what a test tells it to, over a real log, for the rules of the routes alone: what they pass on,
 * what they refuse before anything is asked, what they note. Its statements are none.
 *
 *   const site = await openFakeSite({ events: [eventOf({ type: 'logout' })] });
 *   site.calls                                   every call that was made of it, with its arguments
 */

import type { Hono } from 'hono';
import type { Principal, Role } from '../../src/access/principal.ts';
import { NewelError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { createApp } from '../../src/http/app.ts';
import type { Erasure, EventPage, StoredEvent, Vault } from '../../src/vault/vault.ts';
import { TEST_URL } from './test-site.ts';
import { described } from './openapi.ts';
import { openTestLog, type TestLog } from './test-log.ts';

/** An event as the vault would hold it; `leafIndex` and `eventId` are given by the fake. */
export type FakeEvent = Partial<Pick<StoredEvent, 'notices' | 'receivedTimeMs' | 'profile'>> & {
  readonly content: JsonObject;
};

export interface FakeAnswers {
  readonly events?: readonly FakeEvent[];
  /** Which of the events a call of `list` finds, by their place; all of them where it is not said. */
  readonly found?: readonly number[];
  readonly next?: string;
  /** By the place of the event. */
  readonly corrections?: Readonly<Record<number, readonly number[]>>;
  /** Places of events that are erased. */
  readonly erased?: readonly number[];
  readonly erasures?: readonly Erasure[];
  /** Thrown by calls of that name. */
  readonly failures?: Readonly<Record<string, NewelError>>;
}

export interface FakeCall {
  readonly name: string;
  readonly args: readonly unknown[];
}

export interface FakeSite {
  readonly app: Hono;
  readonly test: TestLog;
  readonly events: readonly StoredEvent[];
  readonly calls: FakeCall[];
  /** The arguments of the calls of one name. */
  readonly callsOf: (name: string) => readonly unknown[];
  readonly errors: unknown[];
}

/** 2026-11-20T12:00:08.123Z */
export const FAKE_RECEIVED_MS: number = Date.UTC(2026, 10, 20, 12, 0, 8, 123);

/** An event of `stepup/1` with these members. */
export function eventOf(members: JsonObject, more: Omit<FakeEvent, 'content'> = {}): FakeEvent {
  const content = {
    schema: 'stepup/1',
    id: 'e-1',
    source: 'test',
    type: 'logout',
    time: '2026-11-20T12:00:08.000Z',
    ...members,
  };
  return { content, ...more };
}

/** The `event_id` of the event at a place. */
export function fakeEventId(place: number): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(place);
  return `evt_${bytes.toString('base64url')}`;
}

const PRINCIPALS: Readonly<Record<Role, Principal>> = {
  submit: { name: 'test submit', role: 'submit', sources: ['test'] },
  audit: { name: 'test audit', role: 'audit', sources: [] },
  admin: { name: 'test admin', role: 'admin', sources: [] },
};

export async function openFakeSite(answers: FakeAnswers = {}): Promise<FakeSite> {
  const given = answers.events ?? [];
  const leaves = given.map((_, place) => Uint8Array.from({ length: 40 }, () => place));
  // Leaf 0 is the log statement's.
  const test = await openTestLog({ kind: 'events', entries: [new Uint8Array(1), ...leaves] });
  const events = given.map((event, place) => storedOf(event, place, leaves[place]!));
  const calls: FakeCall[] = [];
  const errors: unknown[] = [];
  const called = (name: string, ...args: unknown[]): void => {
    calls.push({ name, args });
    const failure = answers.failures?.[name];
    if (failure) throw failure;
  };
  const placeOf = (eventId: string): number => events.findIndex((event) => event.eventId === eventId);
  const unexpected = (): never => {
    throw new Error('bug: the test does not submit');
  };
  const vault: Vault = {
    issuer: TEST_URL,
    jwks: { keys: [] },
    schemas: ['stepup/1'],
    maxEventBytes: 65_536,
    reserve: unexpected,
    submit: unexpected,
    submitGroup: unexpected,
    async find(eventId) {
      called('find', eventId);
      const place = placeOf(eventId);
      if (answers.erased?.includes(place)) throw new NewelError('event_erased', 'the event was erased');
      return events[place];
    },
    async list(query, page): Promise<EventPage> {
      called('list', query, page);
      const { source, type } = query.terms ?? {};
      // As a page asks before it looks for corrections one by one.
      if (type === 'correction' && page.limit === 1) {
        const isOne = (event: StoredEvent): boolean =>
          event.source === source && event.content['type'] === type;
        return { events: events.filter(isOne).slice(0, 1), next: undefined };
      }
      const found = answers.found?.map((place) => events[place]!) ?? events;
      return { events: found, next: answers.next };
    },
    async correctionsOf(event) {
      called('correctionsOf', event.eventId);
      return (answers.corrections?.[placeOf(event.eventId)] ?? []).map((place) => events[place]!);
    },
    async countErasure(target) {
      called('countErasure', target);
      return 12;
    },
    async erase(request) {
      called('erase', request);
      return answers.erasures?.[0] ?? unexpected();
    },
    async findErasure(erasureId) {
      called('findErasure', erasureId);
      return answers.erasures?.find((erasure) => erasure.erasureId === erasureId);
    },
    async listErasures(page) {
      called('listErasures', page);
      return { erasures: answers.erasures ?? [], next: answers.next };
    },
    noteAccess: (access) => called('noteAccess', access),
    logAccess: async (access) => called('logAccess', access),
    noteTokens: unexpected,
    close: async () => {},
  };
  const app = described(
    createApp(
      {
        log: test.log,
        url: TEST_URL,
        vkeys: [test.vkey],
        verifier: test.verifier,
        policy: `log ${test.vkey}\nquorum none\n`,
        statements: { issuer: TEST_URL, jwks: { keys: [] }, schemas: ['stepup/1'], maxEventBytes: 65_536 },
        software: { name: 'newel', version: '1.2.3' },
        now: () => test.clock.now(),
        onError: (error) => errors.push(error),
      },
      {
        vault,
        authenticate(authorization) {
          const [, role] = /^Bearer newel_(\w+)$/.exec(authorization ?? '') ?? [];
          const principal = PRINCIPALS[role as Role] as Principal | undefined;
          if (!principal) throw new NewelError('unauthenticated', 'this needs a token');
          return principal;
        },
        charge: () => {},
      },
    ),
  );
  const callsOf = (name: string): unknown[] =>
    calls.filter((call) => call.name === name).map(({ args }) => (args.length === 1 ? args[0] : args));
  return { app, test, events, calls, callsOf, errors };
}

function storedOf(event: FakeEvent, place: number, leaf: Uint8Array): StoredEvent {
  const { content, notices = [], receivedTimeMs = FAKE_RECEIVED_MS, profile = 'stepup/1' } = event;
  return {
    eventId: fakeEventId(place),
    id: content['id'] as string,
    source: content['source'] as string,
    profile,
    leafIndex: place + 1,
    leaf,
    receivedTimeMs,
    content,
    notices,
    statement: () => Promise.resolve(`e30.e30.${'A'.repeat(86)}~`),
    present: () => Promise.reject(new Error('bug: the test presents nothing')),
  };
}
