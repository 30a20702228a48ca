// profile the server under load: node --cpu-prof dist/cli/main.js serve
import { readFileSync, readdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { createToken } from '../src/access/token-list.ts';
import { folderPaths } from '../src/cli/folder.ts';
import { initFolder, ask } from './support/server.ts';
import { runLoad } from './support/load.ts';
const answer = process.argv[2];
const dir = '/tmp/prof1/log';
const folder = await initFolder(dir, 'events');
const token = await createToken(folderPaths(dir).tokens, { name: 'bench', role: 'submit', sources: ['https://bank.example/payments'], nowMs: Date.now() });
const child = spawn(process.execPath, [...(process.argv[3]?(process.argv[3]==='gc'?['--trace-gc']:['--cpu-prof','--cpu-prof-interval=250', '--cpu-prof-dir=/tmp/prof1']):[]), 'dist/cli/main.js', 'serve', '--data', dir, '--listen', '127.0.0.1:18999'], { stdio: ['ignore', process.argv[3]==='gc'?'inherit':'ignore','ignore'] });
for (;;) { if ((await ask(18999, '/readyz'))?.status === 200) break; await new Promise(r => setTimeout(r, 20)); }
const template = readFileSync('spec/examples/wire-transfer.ndjson', 'utf8').split('\n')[4].replace(/"id":"01JD4X[0-9A-Z]{20}"/, `"id":"${'0'.repeat(26)}"`);
const prefer = answer === 'minimal' ? 'Prefer: return=minimal\r\n' : '';
const head = `POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n${prefer}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(template)}\r\n\r\n`;
const reqs = Array.from({ length: 64 }, () => Buffer.from(head + template));
const at = reqs[0].indexOf('0'.repeat(26)); let n = 0;
const request = (c) => { reqs[c].write(String(n++).padStart(26, '0'), at, 'latin1'); return reqs[c]; };
const cpu = () => { const s = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' '); return (Number(s[11]) + Number(s[12])) * 10000; };
await runLoad({ port: 18999, connections: 64, status: 201, request, until: { durationMs: 3000 } });
const th = () => Object.fromEntries(readdirSync(`/proc/${child.pid}/task`).map(t=>{const x=readFileSync(`/proc/${child.pid}/task/${t}/stat`,'utf8').split(') ');const f=x[1].split(' ');return [t+' '+x[0].split('(')[1],(Number(f[11])+Number(f[12]))*10000]}));
const before = cpu(); const thb = th();
const r = await runLoad({ port: 18999, connections: 64, status: 201, request, until: { durationMs: 6000 } });
console.log(answer, (r.requests / r.durationMs * 1000).toFixed(0), '/s', ((cpu() - before) / r.requests).toFixed(0), 'us cpu', 'load', (r.ownCpuUs/r.requests).toFixed(0));
const tha=th(); for (const [k,v] of Object.entries(tha)) { const d=(v-(thb[k]??0))/r.requests; if(d>1) console.log('  ',k,d.toFixed(0)); }
child.kill('SIGTERM');
await new Promise(r => child.on('close', r));
