import { runProcess } from './run.ts'

process.exitCode = await runProcess()
