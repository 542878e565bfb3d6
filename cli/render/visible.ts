/**
 * Text that came from outside (names in images, words of registries, labels) as a terminal may be shown it: control
 * characters, and those that turn the direction of writing, as escapes. Line ends and tabs stay.
 */
export function visible(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, (char) => {
    const code = char.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}
