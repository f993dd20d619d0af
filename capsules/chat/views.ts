import type { ChatState, ChatStep, RoomView } from './state.ts'

/** The view of the room that is shown. */
function shownView(state: ChatState): RoomView {
  const { visit, room, nick, isJoined, isLeft, members, entries } = state
  const { scrolledRows, unreadFrom, unreadCount, pendingCount, hidden, hiddenCount } = state
  return {
    ...{ visit, room, nick, isJoined, isLeft, members, entries },
    ...{ scrolledRows, unreadFrom, unreadCount, pendingCount, hidden, hiddenCount }
  }
}

/** All rooms, in the order they were joined in. */
export function allViews(state: ChatState): readonly RoomView[] {
  const views = [shownView(state), ...state.parked]
  return state.order.flatMap((visit) => views.filter((view) => view.visit === visit))
}

/** Puts another room in place of the shown one, as it is; for a person {@link showRoom} also marks it as seen. */
function swapTo(state: ChatState, visit: string): ChatState {
  const next = state.parked.find((view) => view.visit === visit)
  if (next === undefined) return state
  const parked = [...state.parked.filter((view) => view !== next), shownView(state)]
  return { ...state, ...next, parked }
}

/** Shows a room; its messages are read then, below the mark of what is new. */
export function showRoom(state: ChatState, visit: string): ChatState {
  if (visit === state.visit) return state
  // What was marked as new in the room that goes away has been looked at.
  return { ...swapTo({ ...state, unreadFrom: undefined }, visit), unreadCount: 0 }
}

/** Opens a further room and shows it. */
export function openRoom(state: ChatState, view: RoomView): ChatState {
  const parked = [...state.parked, { ...shownView(state), unreadFrom: undefined }]
  return { ...state, ...view, parked, order: [...state.order, view.visit] }
}

/** Forgets a room that is not shown. */
export function closeRoom(state: ChatState, visit: string): ChatState {
  const parked = state.parked.filter((view) => view.visit !== visit)
  return { ...state, parked, order: state.order.filter((other) => other !== visit) }
}

/** What happens in a room, whichever is shown: `next` sees that room in the place of the shown one. */
export function inRoom(
  state: ChatState,
  visit: string | undefined,
  next: (state: ChatState) => ChatStep
): ChatStep {
  if (visit === undefined || visit === state.visit) return next(state)
  // A room that was closed meanwhile: nobody is told any more.
  if (!state.order.includes(visit)) return { state, effects: [] }
  const step = next({ ...swapTo(state, visit), isBehind: true })
  return { state: { ...swapTo(step.state, state.visit), isBehind: false }, effects: step.effects }
}
