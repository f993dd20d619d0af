import type { PeerCommands } from '#providers'
import { capsule } from '#sdk'
import { createPeerProvider } from './provider.ts'

await capsule.provide<PeerCommands>('peer', createPeerProvider())
