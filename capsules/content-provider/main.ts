import type { ContentCommands } from '#providers'
import { capsule } from '#sdk'
import { createContentProvider } from './provider.ts'

await capsule.provide<ContentCommands>('content', createContentProvider())
