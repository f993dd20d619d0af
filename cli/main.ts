import { enableCompileCache } from 'node:module'
import { runProcess } from './run.ts'

enableCompileCache()
process.exitCode = await runProcess()
