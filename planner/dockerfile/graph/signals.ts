/** Signals that STOPSIGNAL takes. Source: signal(7). */
const names = new Set(
  (
    'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP ' +
    'TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'
  ).split(' '),
);

/** A number from 1, a name with or without SIG, RTMIN+n, RTMAX-n. */
export function isSignal(text: string): boolean {
  if (/^\d+$/.test(text)) return Number(text) > 0 && Number(text) <= 64;
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (names.has(name)) return true;
  const offset = /^(?:RTMIN\+|RTMAX-)(\d{1,2})$/.exec(name)?.[1];
  return offset !== undefined && Number(offset) >= 1 && Number(offset) <= (name.startsWith('RTMIN') ? 15 : 14);
}
