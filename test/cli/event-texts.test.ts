import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type EventText, MAX_EVENT_TEXT_BYTES, readEvents } from '../../src/cli/event-texts.ts';
import { SLOW } from '../support/slow.ts';

async function* piecesOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  let begin = 0;
  for (const end of ends) {
    // A reader may fill one buffer again and again.
    const piece = Buffer.from(bytes.subarray(begin, end));
    yield piece;
    piece.fill(0);
    begin = end;
  }
}

async function read(text: string | Uint8Array, cuts: readonly number[] = []): Promise<EventText[]> {
  const events: EventText[] = [];
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  for await (const event of readEvents(piecesOf(bytes, cuts))) events.push(event);
  return events;
}

test('one object, objects after another and an array are the same events, with the lines they begin on', async () => {
  const a = { type: 'a', text: 'brackets ]}[{ and "quotes" \\ and é' };
  const b = { type: 'b', in: { list: [1, [2], {}] } };
  const [textA, textB] = [JSON.stringify(a), JSON.stringify(b)];
  const layouts: readonly [string, readonly number[]][] = [
    [`${textA}\n${textB}\n`, [1, 2]],
    [`${textA}\r\n\r\n${textB}`, [1, 3]],
    [`${textA}${textB}`, [1, 1]],
    [`${JSON.stringify(a, undefined, 2)}\n${JSON.stringify(b, undefined, 2)}\n`, [1, 5]],
    [`[${textA},${textB}]`, [1, 1]],
    [`\ufeff[\n${textA},\n\n${textB}\n]\n`, [2, 4]],
    [`\ufeff${textA} ${textB}`, [1, 1]],
  ];
  for (const [text, lines] of layouts) {
    assert.deepEqual(
      await read(text),
      [a, b].map((event, i) => ({ line: lines[i], event })),
      text,
    );
  }
  for (const nothing of ['', ' \n\n', '[]', ' [ \n ] ']) assert.deepEqual(await read(nothing), []);
});

test('where a text is cut into pieces makes no difference', async () => {
  const value = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 3 }));
  const layout = fc.constantFrom(
    (events: readonly unknown[]) => events.map((event) => `${JSON.stringify(event)}\n`).join(''),
    (events: readonly unknown[]) => JSON.stringify(events),
    (events: readonly unknown[]) => JSON.stringify(events, undefined, 2),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(value, { maxLength: 5 }),
      layout,
      fc.array(fc.nat(), { maxLength: 20 }),
      async (events, format, cuts) => {
        const text = format(events);
        const found = await read(text, cuts);
        assert.deepEqual(
          found.map(({ event }) => JSON.stringify(event)),
          events.map((event) => JSON.stringify(event)),
        );
        assert.deepEqual(found, await read(text));
      },
    ),
    { numRuns: SLOW ? 5000 : 200 },
  );
});

test('what is wrong is said with its line, after the events before it, and nothing of the text is repeated', async () => {
  const canary = 'CANARY-7f3a';
  const flawed: readonly [
    what: string,
    text: string | Uint8Array,
    line: number,
    message: RegExp,
    before: number,
  ][] = [
    ['binary', Uint8Array.of(0, 1, 0xff, 0xfe), 1, /begins with neither/, 0],
    ['text', `"${canary}"`, 1, /begins with neither/, 0],
    ['an array of texts', `[\n"${canary}"]`, 2, /an element of the array is not an event/, 0],
    ['a text after an event', `{}\n\n${canary}`, 3, /what follows an event is not another one/, 1],
    ['a comma between lines', `{},\n{}`, 1, /what follows an event is not another one/, 1],
    ['no comma in an array', `[{}\n{}]`, 2, /neither a comma nor its end/, 1],
    ['a comma at the end of an array', `[{},\n]`, 2, /an element of the array is not an event/, 1],
    ['an array without an end', `[{},\n{}\n`, 3, /the array does not end/, 2],
    ['something after the array', `[{}]\n{}`, 2, /something follows the array/, 1],
    [
      'a member twice',
      `{}\n{"a":1,"a":"${canary}"}`,
      2,
      /a member name twice in one object, at column 8$/,
      1,
    ],
    [
      'a member twice, in lines',
      `{\n "a": 1,\n "a": "${canary}"\n}`,
      3,
      /twice in one object, at column 2$/,
      0,
    ],
    ['a number that no double holds', `{"a":9007199254740993}`, 1, /a number that a double does not hold/, 0],
    ['a bracket that is missing', `{"a":1\n{"b":2}\n`, 2, /not well-formed, at column 1$/, 0],
    ['an end that is missing', `{"a":"${canary}"`, 1, /ends too early/, 0],
    ['another bracket', `{"a":[1}]`, 1, /not well-formed/, 0],
    ['a string over lines', `{"a":"${canary}\n"}`, 1, /a string does not end on its line/, 0],
    ['an escape that is none', String.raw`{"a":"\x${canary}"}`, 1, /invalid escape/, 0],
    ['no UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), 1, /not UTF-8/, 0],
    ['UTF-16', Buffer.from('\ufeff{}', 'utf16le'), 1, /begins with neither/, 0],
    ['a depth without end', '{"a":'.repeat(200_000), 1, /nested deeper than 32|longer than any event/, 0],
  ];
  for (const [what, text, line, message, before] of flawed) {
    const found: EventText[] = [];
    await assert.rejects(
      async () => {
        const bytes = typeof text === 'string' ? Buffer.from(text) : text;
        for await (const event of readEvents(piecesOf(bytes, [3]))) found.push(event);
      },
      (error: Error & { line?: number; code?: string }) => {
        assert.match(error.message, message, what);
        assert.equal(error.line, line, what);
        assert.ok(error.code === 'malformed' || error.code === 'too_large', what);
        assert.ok(!error.message.includes(canary), what);
        return true;
      },
      what,
    );
    assert.equal(found.length, before, what);
  }
});

test('no more of a text is held than an event may have', async () => {
  let given = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('{}\n{"a":"');
    for (;;) {
      given += 65_536;
      yield new Uint8Array(65_536).fill(0x61);
    }
  }
  const events = readEvents(endless());
  assert.deepEqual((await events.next()).value, { line: 1, event: {} });
  await assert.rejects(events.next(), { code: 'too_large', line: 2, message: /longer than any event/ });
  assert.ok(given <= MAX_EVENT_TEXT_BYTES + 65_536);
});
