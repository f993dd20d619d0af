import type { LocalhostCommands } from '#providers'
import { capsule } from '#sdk'
import { createLocalhostProvider } from './provider.ts'

await capsule.provide<LocalhostCommands>('localhost', createLocalhostProvider())
