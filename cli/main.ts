import { enableCompileCache } from 'node:module'
import { runProcess } from './run.ts'

// The launcher has said where the cache is, and Node uses it from its start.
if (process.env['NODE_COMPILE_CACHE'] === undefined) enableCompileCache()
process.exitCode = await runProcess()
