/** Addresses as they may be shown. */

/**
 * Text without the passwords of addresses in it: `https://xxxxx:xxxxx@host`, `ssh://git:xxxxx@host`. A user alone is a token
 * as often as not where the scheme is http.
 */
export function withoutPasswords(text: string): string {
  return text.replace(
    /\b([a-z][a-z0-9+.-]{0,30}:\/\/)([^\s/@:?#]*)(:[^\s/@?#]*)?@/gi,
    (whole, scheme: string, user: string, password: string | undefined) => {
      if (/^https?:/i.test(scheme)) return `${scheme}xxxxx${password ? ':xxxxx' : ''}@`;
      return password ? `${scheme}${user}:xxxxx@` : whole;
    },
  );
}
