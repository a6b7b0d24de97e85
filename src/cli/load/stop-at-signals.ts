/** Ends what a load has started when the user ends the command. */
import type { LoadStand } from "./load-stand.ts";

const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** From now on a signal stops `stand` and ends this process; returns what undoes that. */
export function stopAtSignals(stand: LoadStand): () => void {
  const undo: (() => void)[] = [];
  for (const [signal, code] of Object.entries(SIGNALS)) {
    const stop = (): void => void stand.stop().finally(() => process.exit(code));
    process.once(signal, stop);
    undo.push(() => process.off(signal, stop));
  }
  return () => {
    for (const each of undo) each();
  };
}
