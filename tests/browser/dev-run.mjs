import { readdirSync } from 'node:fs';
import { Browser } from './harness/browser.mjs'; import { Report } from './harness/report.mjs'; import { Gateway } from './harness/gateway.mjs';
const g=new Gateway(); g.url=process.env.BASE; const b=await Browser.start(); const r=new Report(); const w=process.argv.slice(2);
for(const f of readdirSync(new URL('./tests/',import.meta.url)).sort()){const {tests}=await import('./tests/'+f);for(const [n,t] of Object.entries(tests)){const T=f.replace('.mjs','')+': '+n;if(!w.length||w.some(x=>T.includes(x)))await r.run(T,t,{browser:b,gateway:g});}}
await b.stop();console.log(r.passed,r.failed);process.exit(0);
