/**
 * Makes a process virtual before anything else is imported:
 *
 *     node --import ./sim/preload.ts ./sim/main.ts meet-and-fetch
 */
import { installVirtualProcess } from './powers.ts'

installVirtualProcess()
