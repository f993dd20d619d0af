// The delay proxy as a process of its own: its first line of input says what to forward, the end of its input ends it.
import { createInterface } from 'node:readline'
import { startDelayProxy, type DelayProxyInit } from './delay-proxy.ts'

let proxy: AsyncDisposable | undefined
for await (const line of createInterface({ input: process.stdin })) {
  proxy ??= await startDelayProxy(JSON.parse(line) as DelayProxyInit)
  process.stdout.write('{"event":"ready"}\n')
}
await proxy?.[Symbol.asyncDispose]()
