/** Longest text of a message in UTF-8 bytes: what the room protocol allows, known here so that nothing is typed in vain. */
export const TEXT_BYTES_MAX = 4_096
/** Longest line read from a pipe, in bytes; a longer one is skipped and reported. */
export const LINE_BYTES_MAX = 16_384
/** Messages and notices kept for scrolling back. */
export const ENTRIES_MAX = 2_000
/** Lines kept for the up and down keys. */
export const HISTORY_MAX = 100
/** Longest line in the editor, in characters as a reader counts them. */
export const EDITOR_CHARS_MAX = 8_192
/** Members shown; the room itself lists no more. */
export const MEMBERS_SHOWN_MAX = 256
/** Bytes of one escape sequence from the keyboard; a longer one is dropped. */
export const SEQUENCE_BYTES_MAX = 64
/** Bytes of one paste; what is beyond is dropped. */
export const PASTE_BYTES_MAX = 65_536
/** Combining marks shown on one character; more would climb over other lines. */
export const MARKS_MAX = 4
/** Columns between tab stops in a text. */
export const TAB_COLUMNS = 4
/** Longest name, did or code point of an event that is looked at, in code units. */
export const FIELD_CHARS_MAX = 512
/** Columns before the text of a message: `12:30 `. */
export const TIME_COLUMNS = 6
/** Columns below which a terminal shows only what fits. */
export const COLUMNS_MIN = 12
/** Rooms one chat is in at a time. */
export const CHAT_ROOMS_MAX = 9
/** People who may be blocked in one chat; the node's own list is longer. */
export const BLOCKED_MAX = 256
/** Rows below which there is no list of rooms. */
export const ROWS_FOR_ROOMS_MIN = 5
/** Rows below which there is no bar with who is here. */
export const ROWS_FOR_BAR_MIN = 3
/** Messages hidden by moderators that are kept for who asks for them. */
export const HIDDEN_MAX = 200
/** Messages that one change of a moderator's list hides or shows. */
export const MODERATED_MAX = 1_024
