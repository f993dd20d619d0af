import type { HttpCommands } from '#providers'
import { capsule } from '#sdk'
import { createHttpProvider } from './provider.ts'

await capsule.provide<HttpCommands>('http', createHttpProvider())
