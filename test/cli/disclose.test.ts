/** `newel disclose`, and `newel verify` of what it makes. */

import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { isPackName } from '../../src/client/evidence-manifest.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatZip, parseZip } from '../../src/cli/zip-file.ts';
import { runCli } from '../support/cli.ts';
import { type EvidenceLog, openEvidenceLog, readFiles, runDisclose } from '../support/evidence.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';

const AS = ['--preset', 'auditor', '--audience', 'auditor.example', '--nonce', 'n-1'];

/** A pack of all events of the log, in the folder `pack` of its cwd. */
async function disclosePack(log: EvidenceLog, out = 'pack'): Promise<void> {
  const args = [...log.eventIds, ...AS, '--out', out, '--trust', log.trust];
  const { code, err } = await runDisclose(args, log);
  assert.equal(code, 0, err);
}

describe('newel disclose', () => {
  test('says first what is disclosed, and writes a folder or a zip for its owner alone', async (t) => {
    const log = await openEvidenceLog(t, ['full.json', 'flat.json']);
    const folder = await runDisclose([...log.eventIds, ...AS, '--out', 'pack', '--trust', log.trust], log);
    assert.equal(folder.code, 0, folder.err);
    assert.match(
      folder.err,
      /^disclosed of 2 events to auditor\.example:\n {2}claims .*\n {2}with them .*trigger\.reason.*\n/,
    );
    assert.equal(folder.out, '✔ pack  2 events of log.example/disk for auditor.example, nonce n-1\n');
    const files = await readFiles(join(log.cwd, 'pack'));
    assert.equal(files.size, 3 * 2 + 5);
    assert.ok([...files.keys()].every(isPackName));
    for (const name of files.keys()) {
      assert.equal((await stat(join(log.cwd, 'pack', name))).mode & 0o777, 0o600, name);
    }
    for (const name of ['', 'statements', 'presentations', 'proofs']) {
      assert.equal((await stat(join(log.cwd, 'pack', name))).mode & 0o777, 0o700, name);
    }
    const zip = await runDisclose([...log.eventIds, ...AS, '--trust', log.trust, '--json'], log);
    assert.equal(zip.code, 0, zip.err);
    const said = JSON.parse(zip.out) as Record<string, unknown>;
    assert.deepEqual([said['file'], said['events']], ['evidence.zip', log.eventIds]);
    const bytes = await readFile(join(log.cwd, 'evidence.zip'));
    const zipped = parseZip(bytes, { maxFiles: 100, isName: isPackName });
    assert.deepEqual([...zipped.keys()].sort(), [...files.keys()].sort());
    assert.equal((await stat(join(log.cwd, 'evidence.zip'))).mode & 0o777, 0o600);
  });

  test('takes ids, receipts and what newel submit printed, each event once', async (t) => {
    const log = await openEvidenceLog(t, ['wire-transfer.ndjson']);
    const [first, second, third, ...rest] = log.eventIds;
    const receipt = `${first}.receipt.json`;
    const pretty = JSON.stringify(JSON.parse(await readFile(join(log.cwd, receipt), 'utf8')), undefined, 2);
    await writeFile(join(log.cwd, 'pretty.json'), pretty);
    await writeFile(join(log.cwd, 'ids.txt'), `${second}\n\n{"event_id":"${third}","leaf_index":3}\n`);
    const input = [encodeUtf8(rest.join('\r\n'))];
    const { code, out, err } = await runDisclose(
      [first!, receipt, 'pretty.json', 'ids.txt', '-', ...AS, '--trust', log.trust, '--json'],
      { ...log, input },
    );
    assert.equal(code, 0, err);
    assert.deepEqual((JSON.parse(out) as { events: string[] }).events, log.eventIds);
  });

  test('asked dry discloses nothing, and says what it would', async (t) => {
    const log = await openEvidenceLog(t, ['full.json']);
    const args = [
      ...log.eventIds,
      '--claims',
      'type,src.ip',
      '--audience',
      'a',
      '--trust',
      log.trust,
      '--dry-run',
    ];
    const { code, out } = await runDisclose(args, log);
    assert.equal(code, 0);
    assert.match(
      out,
      /claims +src, src\.ip, type\n +with them +src\.is_proxy\n +always open +iss, log, iat, jti, schema, cnf\n$/,
    );
    const json = await runDisclose([...args, '--json'], log);
    assert.deepEqual(JSON.parse(json.out), {
      dry_run: true,
      events: 1,
      audience: 'a',
      discloses: {
        claims: ['src', 'src.ip', 'type'],
        travels_along: ['src.is_proxy'],
        open: ['iss', 'log', 'iat', 'jti', 'schema', 'cnf'],
      },
    });
    assert.deepEqual(
      (await readdir(log.cwd)).filter((name) => /evidence|zip/.test(name)),
      [],
    );
  });

  test('a nonce is made where none is given, another each time', async (t) => {
    const log = await openEvidenceLog(t, ['full.json']);
    const nonces = new Set<string>();
    for (const out of ['a.zip', 'b.zip']) {
      const args = [
        ...log.eventIds,
        '--preset',
        'auditor',
        '--audience',
        'a',
        '--trust',
        log.trust,
        '--out',
        out,
        '--json',
      ];
      nonces.add((JSON.parse((await runDisclose(args, log)).out) as { nonce: string }).nonce);
    }
    assert.equal(nonces.size, 2);
    for (const nonce of nonces) assert.match(nonce, /^[A-Za-z0-9_-]{22}$/);
  });

  test('refuses what is used wrongly before the log is asked, and overwrites nothing', async (t) => {
    const cwd = (await openEvidenceLog(t, [])).cwd;
    await writeFile(join(cwd, 'there.zip'), 'x');
    await mkdir(join(cwd, 'there'));
    await writeFile(join(cwd, 'ids.txt'), 'evt_x\n');
    const id = `evt_${'A'.repeat(22)}`;
    const wrong: [args: string[], said: RegExp, code: number][] = [
      [[id, '--audience', 'a'], /either --preset or --claims/, 2],
      [[id, '--preset', 'auditor', '--claims', 'type', '--audience', 'a'], /either --preset or --claims/, 2],
      [[id, '--preset', 'all', '--audience', 'a'], /preset is one of auditor, fraud, subject-request/, 2],
      [[id, '--claims', 'trigger.reason', '--audience', 'a'], /travels in trigger/, 2],
      [[id, '--preset', 'auditor'], /--audience is missing/, 2],
      [[id, '--preset', 'auditor', '--audience', 'a b'], /--audience is 1 to 255/, 2],
      [[id, '--preset', 'auditor', '--audience', 'a', '--nonce', ''], /--nonce is 1 to 128/, 2],
      [[id, ...AS, '--out', 'there.zip'], /exists: give another name/, 2],
      [[id, ...AS, '--out', 'there'], /exists: give another name/, 2],
      [['ids.txt', ...AS], /ids\.txt: line 1 is no event id/, 3],
      [['nothing.txt', ...AS], /cannot be read/, 3],
      [[...AS], /an argument is missing/, 2],
    ];
    for (const [args, said, code] of wrong) {
      const ran = await runDisclose(args, {
        cwd,
        env: { NEWEL_URL: 'http://127.0.0.1:9', NEWEL_TOKEN: 'x' },
      });
      assert.match(ran.err, said, args.join(' '));
      assert.equal(ran.code, code, ran.err);
      assert.equal(ran.out, '');
    }
    assert.equal(await readFile(join(cwd, 'there.zip'), 'utf8'), 'x');
  });

  test('an event that is not there, or a log of other keys, is the end of it', async (t) => {
    const log = await openEvidenceLog(t, ['full.json']);
    const missing = await runDisclose([`evt_${'A'.repeat(22)}`, ...AS, '--trust', log.trust], log);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /there is no such event, or none that this token may read/);
    const strange = join(log.cwd, 'strange.json');
    await writeFile(strange, JSON.stringify(makeTestReceipt().trustFile));
    const false_ = await runDisclose([...log.eventIds, ...AS, '--trust', strange], log);
    assert.equal(false_.code, 1);
    assert.deepEqual(
      (await readdir(log.cwd)).filter((name) => name.includes('evidence')),
      [],
    );
  });

  test('a token of the role audit discloses what others submitted', async (t) => {
    const log = await openEvidenceLog(t, ['full.json']);
    const env = { ...log.env, NEWEL_TOKEN: log.audit };
    const { code, err } = await runDisclose([...log.eventIds, ...AS, '--trust', log.trust], { ...log, env });
    assert.equal(code, 0, err);
  });
});

describe('newel verify of a pack', () => {
  async function madePack(t: TestContext): Promise<EvidenceLog & { readonly pack: string }> {
    const log = await openEvidenceLog(t, ['full.json', 'wire-transfer.ndjson']);
    await disclosePack(log);
    return { ...log, pack: join(log.cwd, 'pack') };
  }

  test('holds, as a folder and as a zip, under one’s own trust file', async (t) => {
    const { cwd, trust } = await madePack(t);
    await writeFile(join(cwd, 'pack.zip'), formatZip(await readFiles(join(cwd, 'pack'))));
    const said = ['--audience', 'auditor.example', '--nonce', 'n-1', '--trust', trust];
    const { code, out, err } = await runCli(['verify', 'pack', 'pack.zip', ...said], { cwd });
    assert.equal(code, 0, out + err);
    assert.match(err, /^trust: .*pinned\.json, of log\.example\/disk\n$/);
    const [first = '', ...lines] = out.split('\n');
    assert.equal(first, '✔ evidence pack of 8 events for auditor.example');
    assert.match(lines[0]!, /^ {2}manifest {2}✔ of log\.example\/disk, for auditor\.example, made /);
    assert.equal(lines[1], '  files     ✔ 28 of 28 are as the manifest lists them');
    assert.match(out, /\n {2}keys {6}✔ of log\.example\/disk, from your own trust file\n/);
    assert.equal(out.match(/\n {2}presentation {2}✔ for auditor\.example, nonce n-1, made /g)!.length, 16);
    assert.equal(out.match(/^✔ event evt_/gm)!.length, 16);
  });

  test('under its own trust file says what that is worth, and prints the keys to compare', async (t) => {
    const { cwd, trust } = await madePack(t);
    const [vkey] = (JSON.parse(await readFile(trust, 'utf8')) as { vkeys: string[] }).vkeys;
    const { code, out, err } = await runCli(['verify', 'pack'], { cwd });
    assert.equal(code, 0);
    assert.match(
      err,
      /^trust: log\.json in pack itself, of log\.example\/disk\. Whoever made the pack chose these keys/,
    );
    assert.ok(err.includes(`  ${vkey}\n`));
    assert.match(out, /\n {2}keys {6}– of log\.example\/disk, from the pack itself: it agrees with itself/);
  });

  test('as JSON is one line', async (t) => {
    const { cwd, eventIds } = await madePack(t);
    const { code, out } = await runCli(['verify', 'pack', '--json'], { cwd });
    assert.equal(code, 0);
    assert.equal(out.indexOf('\n'), out.length - 1);
    const json = JSON.parse(out) as Record<string, unknown> & { events: Record<string, unknown>[] };
    assert.deepEqual(
      [json['ok'], json['level'], json['keys'], json['audience'], json['log']],
      [true, 'signed', 'pack', 'auditor.example', 'log.example/disk'],
    );
    assert.deepEqual(
      json.events.map((event) => event['event_id']),
      eventIds,
    );
    for (const { event } of json.events) assert.ok(!('subject' in (event as object)));
  });

  test('exits with the gravest: 1 false, 3 no pack, 4 below the level', async (t) => {
    const { cwd, pack } = await madePack(t);
    const codeOf = async (...args: string[]): Promise<number | null> =>
      (await runCli(['verify', ...args], { cwd })).code;
    assert.equal(await codeOf('pack', '--audience', 'other'), 1);
    assert.equal(await codeOf('pack', '--nonce', 'other'), 1);
    assert.equal(await codeOf('pack', '--level', 'witnessed'), 4);
    await mkdir(join(cwd, 'empty'));
    assert.equal(await codeOf('empty'), 3);
    await writeFile(join(cwd, 'no.zip'), 'x');
    assert.equal(await codeOf('no.zip'), 3);
    assert.equal(await codeOf('missing.zip'), 3);
    assert.equal(await codeOf('pack', 'no.zip', 'empty'), 3);
    await writeFile(join(pack, 'README.txt'), 'something else');
    const { code, out } = await runCli(['verify', 'pack', 'empty'], { cwd });
    assert.equal(code, 1);
    assert.match(out, /^✘ evidence pack of 8 events/);
    assert.match(out, /\n {2}files {5}✘ README\.txt is not as the manifest lists it\n/);
    assert.match(out, /\n {2}events {4}✔ 8 of 8 hold\n/);
  });

  test('what lies in the folder beside the files is found, and nothing behind a link is read', async (t) => {
    const { cwd, pack, eventIds } = await madePack(t);
    const filesLine = async (): Promise<string> =>
      /\n {2}files +(.*)\n/.exec((await runCli(['verify', 'pack'], { cwd })).out)![1]!;
    await writeFile(join(pack, 'more.txt'), 'x');
    await mkdir(join(pack, 'folder'));
    await writeFile(join(pack, 'statements', 'x'), 'x');
    assert.equal(await filesLine(), '✘ 3 more than the manifest lists');
    for (const name of ['more.txt', 'folder', 'statements/x'])
      await rm(join(pack, name), { recursive: true });
    assert.match(await filesLine(), /^✔/);
    const statement = join(pack, 'statements', `${eventIds[0]}.sd-jwt`);
    const bytes = await readFile(statement);
    await rm(statement);
    assert.match(await filesLine(), /^✘ statements\/.* is missing$/);
    await writeFile(join(cwd, 'elsewhere'), bytes);
    await symlink(join(cwd, 'elsewhere'), statement);
    assert.match(await filesLine(), /^✘ statements\/.* is not as the manifest lists it$/);
    await rm(statement);
    await writeFile(statement, bytes);
    await chmod(statement, 0o400);
    assert.match(await filesLine(), /^✔/);
  });

  test('its halves verify as statement, proof and presentation apart', async (t) => {
    const { cwd, pack, trust, eventIds } = await madePack(t);
    const [id] = eventIds;
    const proof = await readFile(join(pack, 'proofs', `${id}.path`), 'utf8');
    const checkpoint = await readFile(join(pack, 'checkpoint'), 'utf8');
    await writeFile(join(cwd, 'x.tlog-proof'), proof + checkpoint);
    const parts = [
      '--statement',
      `pack/statements/${id}.sd-jwt`,
      '--proof',
      'x.tlog-proof',
      '--trust',
      trust,
    ];
    assert.equal((await runCli(['verify', ...parts], { cwd })).code, 0);
    const presented = [...parts, '--presentation', `pack/presentations/${id}.jwt`];
    const { code, out } = await runCli(['verify', ...presented, '--audience', 'auditor.example'], { cwd });
    assert.equal(code, 0, out);
    assert.match(out, /\n {2}presentation {2}✔ .*nobody said which was expected: nonce\n/);
    assert.equal((await runCli(['verify', ...presented, '--audience', 'x'], { cwd })).code, 1);
    const wrong: string[][] = [
      [...parts, '--audience', 'x'],
      ['--presentation', 'x', 'pack'],
      [`${id}.receipt.json`, '--nonce', 'x', '--trust', trust],
    ];
    for (const args of wrong)
      assert.equal((await runCli(['verify', ...args], { cwd })).code, 2, args.join(' '));
  });

  test('beside receipts, each under what it needs', async (t) => {
    const { cwd, trust, eventIds } = await madePack(t);
    const receipt = `${eventIds[0]}.receipt.json`;
    const without = await runCli(['verify', 'pack', receipt], { cwd });
    assert.equal(without.code, 2);
    const { code, out } = await runCli(['verify', 'pack', receipt, '--trust', trust], { cwd });
    assert.equal(code, 0, out);
    assert.match(out, /✔ receipt of evt_/);
  });
});
