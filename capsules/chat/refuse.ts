import { addEntry } from './entries.ts'
import type { ChatState, ChatStep } from './state.ts'

/** Shows that something was refused, and counts it for the exit code of a pipe. */
export function refuse(state: ChatState, text: string): ChatStep {
  return addEntry({ ...state, refusedCount: state.refusedCount + 1 }, { kind: 'error', text })
}
