import type { DidCommands } from '#providers'
import { capsule } from '#sdk'
import { createDidProvider } from './provider.ts'

await capsule.provide<DidCommands>('did', createDidProvider())
