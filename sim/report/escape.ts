const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}

/** How many characters of one text are shown. */
export const TEXT_CHARACTERS_MAX = 200

/** Text as HTML and SVG take it, in an attribute too: nothing in it is markup, or steers a terminal; cut off when it is long. */
export function escapeText(text: string): string {
  const shown = text.length > TEXT_CHARACTERS_MAX ? `${text.slice(0, TEXT_CHARACTERS_MAX)}…` : text
  return shown
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, '�')
    .replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? mark)
}
